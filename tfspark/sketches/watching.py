"""Collects the statistics of a task while its rows flow. Executor.

Invariants: batches pass unchanged, and none is held; an error in the statistics ends only the
statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfspark import dtypes
from tfspark.sketches.column import LONGEST, ColumnSketch
from tfspark.sketches.draw import Draw
from tfspark.sketches.quantiles import Quantiles
from tfspark.sketches.rows import RowSketch

# The most inputs, and the most predictions, that get statistics.
MOST_COLUMNS = 64
# Spark limits the size of all results of a stage (`spark.driver.maxResultSize`), so the quantiles
# of all columns of a task share these bytes. A sketch has three times as many numbers as its size.
_TASK_BYTES = 64 << 10
_SMALLEST, _LARGEST = 32, 200
_FEWEST_TEXTS = 16
# The most elements of an array, and characters of a value, in the sample.
_ELEMENTS = 8
_CHARACTERS = 120
# Values of the sample of a task; of wide rows it has fewer ones.
_CELLS = 1024
# Characters of the message of an error.
_MESSAGE = 200


@dataclass(frozen=True)
class Wanted:
    """The statistics that a task collects. Spark pickles this object into the tasks.

    Attributes:
        inputs: Name in the report → column in the task, for the columns that feed models.
        outputs: Columns of predictions.
        reason: The column that says why a row is bad; empty without one.
        sampled: Columns of the sample, in the order of the output.
        rows: Number of rows in the sample.
    """

    inputs: dict[str, str]
    outputs: tuple[str, ...]
    reason: str = ""
    sampled: tuple[str, ...] = ()
    rows: int = 0

    @property
    def size(self) -> int:
        """The size of the quantiles of one column."""
        columns = max(len(self.inputs) + len(self.outputs), 1)
        return min(max(_TASK_BYTES // (3 * 8 * columns), _SMALLEST), _LARGEST)

    @property
    def texts(self) -> int:
        """The frequent texts of one column."""
        columns = max(len(self.inputs) + len(self.outputs), 1)
        return max(_TASK_BYTES // (LONGEST * columns), _FEWEST_TEXTS)

    @property
    def rows_of_task(self) -> int:
        """The rows that one task adds to the sample."""
        return min(self.rows, max(_CELLS // max(len(self.sampled), 1), 1))

    def described(self) -> Wanted:
        """Return the same statistics for at most `MOST_COLUMNS` inputs and outputs."""
        return replace(
            self,
            inputs=dict(islice(self.inputs.items(), MOST_COLUMNS)),
            outputs=self.outputs[:MOST_COLUMNS],
        )


@dataclass
class Watch:
    """Watches the rows of one task before and after the models.

    Attributes:
        wanted: What to collect.
        number: Number of the task; decides which rows are drawn, and the order of the sample.
    """

    wanted: Wanted
    number: int
    sketch: RowSketch = field(init=False)
    _draw: Draw = field(init=False)

    def __post_init__(self) -> None:
        wanted = self.wanted
        self._draw = Draw(self.number)
        self.sketch = RowSketch(
            inputs={name: self._column() for name in wanted.inputs},
            outputs={name: self._column() for name in wanted.outputs},
            columns=wanted.sampled if wanted.rows else (),
            most=wanted.rows,
        )

    def _column(self) -> ColumnSketch:
        return ColumnSketch(quantiles=Quantiles(self.wanted.size))

    def before(
        self, batches: Iterable[pa.RecordBatch], names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Watch the rows that are read; `names` are the names of the columns, in order."""
        at = {name: names.index(column) for name, column in self.wanted.inputs.items()}
        for batch in batches:
            self._harmless(self._read, batch, at)
            yield batch

    def after(
        self, batches: Iterable[pa.RecordBatch], names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Watch the scored rows; `names` are the names of the columns, in order."""
        for batch in batches:
            self._harmless(self._add, batch, names)
            yield batch

    def end(self) -> RowSketch:
        """Return the statistics, as small as they get."""
        self._harmless(self._finish)
        return self.sketch

    def _harmless(self, step: Callable[..., None], *values: Any) -> None:
        """Run a step; after an error there are no statistics, but the rows go on."""
        if self.sketch.problem:
            return
        try:
            step(*values)
        except Exception as error:  # the values may be anything
            problem = f"{type(error).__name__}: {error}"
            self.sketch = RowSketch(problem=problem[:_MESSAGE])

    def _finish(self) -> None:
        for one in (*self.sketch.inputs.values(), *self.sketch.outputs.values()):
            one.frequent.cut(self.wanted.texts)
        self.sketch.finish()

    def _read(self, batch: pa.RecordBatch, at: Mapping[str, int]) -> None:
        self._draw.renew()
        for name, position in at.items():
            self.sketch.inputs[name].add(batch.column(position), self._draw)

    def _good(self, batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
        """Count the bad rows by reason, and leave them out."""
        if not self.wanted.reason:
            return batch
        reasons: Any = batch.column(names.index(self.wanted.reason))
        if reasons.null_count == len(reasons):
            return batch
        for pair in pc.value_counts(reasons.drop_null().field("code")).to_pylist():
            self.sketch.reasons[str(pair["values"])] += pair["counts"]
        return batch.filter(reasons.is_null())

    def _add(self, batch: pa.RecordBatch, names: Sequence[str]) -> None:
        batch = self._good(batch, names)
        self.sketch.rows += batch.num_rows
        for name in self.wanted.outputs:
            self.sketch.outputs[name].add(batch.column(names.index(name)), self._draw)
        missing = self.wanted.rows_of_task - len(self.sketch.sample)
        if missing > 0:
            columns = [batch.column(names.index(name)) for name in self.wanted.sampled]
            for row in range(min(missing, batch.num_rows)):
                self.sketch.sample.append((self.number, [_shown(one, row) for one in columns]))


def _shown(column: dtypes.ArrowArray, row: int) -> str:
    """Return a value as text; long arrays and long texts are cut."""
    value: Any = column[row]
    if dtypes.is_list(column.type) and value.is_valid:
        inner = value.values
        parts = [_shown(inner, at) for at in range(min(len(inner), _ELEMENTS))]
        more = [f"… {len(inner)} in all"] if len(inner) > _ELEMENTS else []
        text = f"[{', '.join([*parts, *more])}]"
    else:
        text = _plain(value)
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _plain(value: Any) -> str:
    if not value.is_valid:
        return "null"
    try:
        found = value.as_py()
    except Exception:  # Python has no such date, time zone or text
        return f"a value of type {value.type}"
    if pa.types.is_float32(value.type):
        return str(np.float32(found))  # 0.1 and not 0.10000000149011612
    if isinstance(found, bytes):
        return f"{len(found)} bytes"
    if isinstance(found, str):
        return "".join(islice(found, _CHARACTERS + 1))
    return str(found)
