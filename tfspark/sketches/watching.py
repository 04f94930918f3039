"""Collects the statistics of a task while it scores its rows. Executor.

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
from tfspark.sketches.column import ColumnSketch
from tfspark.sketches.draw import Draw
from tfspark.sketches.quantiles import Quantiles
from tfspark.sketches.rows import RowSketch
from tfspark.sketches.values import LONGEST

# The most inputs, and the most predictions, that get statistics.
MOST_COLUMNS = 48
# At the start of a task, all values are read, up to this number. After that, only drawn values of
# inputs are read, because a light model scores a value in a nanosecond.
_WHOLE_VALUES = 1 << 18
# The bytes of the numbers of one task, for all its columns, and the largest size of one column. A
# sketch has three times as many numbers as its size, with 4 or 8 bytes each.
_TASK_BYTES = 256 << 10
_LARGEST = 2730
# The bytes of its texts, and the fewest texts of a column.
_TEXT_BYTES = 64 << 10
_FEWEST_TEXTS = 16
# Spark limits the size of all results of a stage (`spark.driver.maxResultSize`, 1 GB by default).
# The results of this many tasks have the full size. The total size of all later results grows only
# with the logarithm of their number.
FULL_TASKS = 64
_TEXT_TASKS = 1024
# The most elements of an array, and characters of a value, in the sample.
_ELEMENTS = 8
_CHARACTERS = 120
# The most values in the sample of a task; so the sample has fewer rows if rows are wide.
_CELLS = 1024
# The most characters of an error message.
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
        left_out: Columns that get no statistics, because there are too many.
    """

    inputs: dict[str, str]
    outputs: tuple[str, ...]
    reason: str = ""
    sampled: tuple[str, ...] = ()
    rows: int = 0
    left_out: int = 0

    def size(self, number: int) -> int:
        """The size of the quantiles of one column in the task with this number."""
        columns = max(len(self.inputs) + len(self.outputs), 1)
        full = min(_TASK_BYTES // (3 * 8 * columns), _LARGEST)
        return max(full * FULL_TASKS // max(number + 1, FULL_TASKS), 1)

    @property
    def texts(self) -> int:
        """How many frequent texts of one column a task returns."""
        columns = max(len(self.inputs) + len(self.outputs), 1)
        return max(_TEXT_BYTES // (LONGEST * columns), _FEWEST_TEXTS)

    def rows_of(self, number: int) -> int:
        """How many rows the task with this number adds to the sample, which has the first rows."""
        if number >= _TEXT_TASKS:
            return 0
        return min(self.rows, max(_CELLS // max(len(self.sampled), 1), 1))

    def described(self) -> Wanted:
        """Return the same statistics for at most `MOST_COLUMNS` inputs and outputs."""
        return replace(
            self,
            inputs=dict(islice(self.inputs.items(), MOST_COLUMNS)),
            outputs=self.outputs[:MOST_COLUMNS],
            left_out=sum(max(len(one) - MOST_COLUMNS, 0) for one in (self.inputs, self.outputs)),
        )


@dataclass
class Watch:
    """Watches the rows of one task before and after the models.

    Attributes:
        wanted: The statistics to collect.
        number: Number of the task; decides which values are drawn, and the order of the sample.
        expected: Rows of the task; 0 if unknown.
    """

    wanted: Wanted
    number: int
    expected: int = 0
    sketch: RowSketch = field(init=False)
    _draw: Draw = field(init=False)
    _looked: int = 0

    def __post_init__(self) -> None:
        wanted = self.wanted
        self._draw = Draw(self.number)
        self.sketch = RowSketch(
            inputs={name: self._column() for name in wanted.inputs},
            outputs={name: self._column() for name in wanted.outputs},
            columns=wanted.sampled if wanted.rows else (),
            most=wanted.rows,
            left_out=wanted.left_out,
        )

    def _column(self) -> ColumnSketch:
        quantiles = Quantiles(self.wanted.size(self.number), seed=self.number)
        return ColumnSketch(quantiles=quantiles, expected=self.expected)

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
        """Return the statistics in their smallest size."""
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
        self.sketch.finish()
        parts = max((self.number + 1) // _TEXT_TASKS, 1)
        factor = parts if self._draw.one_in(parts) else 0
        for one in (*self.sketch.inputs.values(), *self.sketch.outputs.values()):
            one.quantiles.cut(one.quantiles.room)
            one.frequent.cut(self.wanted.texts)
            one.weigh_texts(factor)

    def _read(self, batch: pa.RecordBatch, at: Mapping[str, int]) -> None:
        self._draw.renew()
        whole = self._looked < _WHOLE_VALUES
        for sketch, position in zip(self.sketch.inputs.values(), at.values(), strict=True):
            sketch.add(batch.column(position), self._draw, whole=whole)
        if whole:
            self._looked = sum(sketch.values for sketch in self.sketch.inputs.values())

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
        missing = self.wanted.rows_of(self.number) - len(self.sketch.sample)
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
