"""The task of a side: the files to read, the model to run, the folder to write.

Standard library only, because the peers' environments import it too. A `Task` is sent as JSON, so
it contains only text and numbers.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from math import prod
from typing import Any


@dataclass(frozen=True)
class Task:
    """One run of one side.

    Attributes:
        case: Name of the case.
        data: Folder of Parquet files to read.
        out: Folder to write Parquet into; it does not exist when the run begins.
        model: Base path of the SavedModel.
        rows: Rows in `data`.
        columns: Columns that feed the model: one column, or many scalar columns to stack.
        shape: The model's input shape of one row.
        strings: Whether the column holds text.
        nested: Whether the column holds arrays of arrays.
        integers: Whether the numbers are int32, not float32.
        width: Numbers per prediction; 1 is written as a scalar column.
        batch: Rows per call of the model, for sides with this option.
        settings: Further settings of a side, as names and values.
    """

    case: str
    data: str
    out: str
    model: str
    rows: int
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    strings: bool = False
    nested: bool = False
    integers: bool = False
    width: int = 1
    batch: int | None = None
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def stacked(self) -> bool:
        """Whether the input is stacked from scalar columns."""
        return len(self.columns) > 1

    @property
    def size(self) -> int:
        """Elements of one row's input."""
        return prod(self.shape)

    @property
    def export_dir(self) -> str:
        """The one version under the base path."""
        return f"{self.model}/1"

    @property
    def model_call(self) -> Task:
        """The task without its rows: equal for all tasks that call the model in the same way."""
        return replace(self, data="", out="", rows=0)

    def to_json(self) -> dict[str, Any]:
        """Return the values that `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, words: dict[str, Any]) -> Task:
        """Rebuild a task."""
        known = {field.name: words[field.name] for field in fields(cls)}
        known.update({name: tuple(known[name]) for name in ("columns", "shape")})
        return cls(**{**known, "settings": tuple(tuple(pair) for pair in known["settings"])})

    def __str__(self) -> str:
        return json.dumps(self.to_json())
