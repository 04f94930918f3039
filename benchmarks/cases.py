"""The cases: model, rows, and the batch sizes to try.

Data only, standard library only; `prepare` makes the files and the models from it. A run takes
seconds on two cores, much more than the fixed cost of a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.task import Task

FILES = 4
ROW_GROUPS = 4


@dataclass(frozen=True)
class Case:
    """One model over one table.

    Attributes:
        name: Name of the case and of its model.
        title: The title in the report.
        rows: Rows of the full run.
        smoke_rows: Rows of the smoke run.
        shape: The model's input shape of one row.
        batches: Batch sizes to try for the sides that need one.
        columns: As in `Task`.
        strings: As in `Task`.
        nested: As in `Task`.
        width: As in `Task`.
        formula: The model as an SQL expression, if possible.
        compute_bound: Whether most of the time is spent in the model.
        vocabulary: Rows are word numbers below it; 0 for rows of random floats.
        large: Whether a smoke run leaves this case out unless `--case` names it.
    """

    name: str
    title: str
    rows: int
    smoke_rows: int
    shape: tuple[int, ...]
    batches: tuple[int, ...]
    columns: tuple[str, ...] = ("features",)
    strings: bool = False
    nested: bool = False
    width: int = 1
    formula: str = ""
    compute_bound: bool = False
    vocabulary: int = 0
    large: bool = False

    def task(self, data: Path, out: Path) -> Task:
        """Return the task of this case, over the files of `prepare`."""
        return Task(
            case=self.name,
            data=str(self.folder(data)),
            out=str(out),
            model=str(data / "models" / self.name),
            rows=self.rows,
            columns=self.columns,
            shape=self.shape,
            strings=self.strings,
            nested=self.nested,
            integers=bool(self.vocabulary),
            width=self.width,
        )

    def folder(self, data: Path) -> Path:
        """Return the folder of the rows."""
        return data / f"{self.name}-{self.rows}"

    def at(self, rows: int) -> Case:
        """Return the case over fewer rows."""
        return replace(self, rows=rows)


CASES = (
    Case(
        name="linear",
        title="linear, 2 numbers",
        rows=8_000_000,
        smoke_rows=40_000,
        shape=(2,),
        batches=(1024, 10_000, 65_536, 262_144),
        formula="2 * features[0] - features[1] + 3",
    ),
    Case(
        name="mlp",
        title="MLP 15-20-10-1",
        rows=4_000_000,
        smoke_rows=20_000,
        shape=(15,),
        batches=(1024, 4096, 10_000, 65_536),
    ),
    Case(
        name="cifar2",
        title="CNN, 32×32×3 images",
        rows=24_000,
        smoke_rows=256,
        shape=(32, 32, 3),
        batches=(64, 128, 256, 512),
        compute_bound=True,
    ),
    Case(
        name="text",
        title="text CNN, 200 words",
        rows=120_000,
        smoke_rows=512,
        shape=(),
        batches=(64, 256, 1024),
        columns=("text",),
        strings=True,
        compute_bound=True,
    ),
    Case(
        name="lstm",
        title="LSTM, windows of 8×3",
        rows=1_600_000,
        smoke_rows=4_000,
        shape=(8, 3),
        batches=(256, 1024, 4096, 10_000),
        columns=("window",),
        nested=True,
        compute_bound=True,
    ),
    Case(
        name="mobilenet",
        title="MobileNetV2, 96×96×3",
        rows=3_200,
        smoke_rows=32,
        shape=(96, 96, 3),
        batches=(8, 16, 32, 64),
        width=10,
        compute_bound=True,
    ),
    Case(
        name="resnet",
        title="ResNet-50, 224×224×3",
        rows=256,
        smoke_rows=8,
        shape=(224, 224, 3),
        batches=(4, 8, 16),
        width=10,
        compute_bound=True,
        large=True,
    ),
    Case(
        name="encoder",
        title="encoder, 4 layers × 256, 128 words",
        rows=1_600,
        smoke_rows=16,
        shape=(128,),
        batches=(8, 16, 32, 64),
        columns=("words",),
        width=10,
        compute_bound=True,
        vocabulary=10_000,
        large=True,
    ),
    Case(
        name="wide",
        title="200 scalar columns",
        rows=400_000,
        smoke_rows=4_000,
        shape=(200,),
        batches=(1024, 4096, 10_000),
        columns=tuple(f"c{number:03d}" for number in range(200)),
    ),
)

BY_NAME = {case.name: case for case in CASES}
