"""The statistics of one column, in one pass. Driver and executor.

Arrays are described by their elements, all together, and by their lengths. Booleans and texts are
described by their most frequent values. Columns of other types have only counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfspark import dtypes
from tfspark.sketches.draw import Draw, level_for
from tfspark.sketches.frequent import Frequent
from tfspark.sketches.moments import Moments
from tfspark.sketches.quantiles import Numbers, Quantiles
from tfspark.sketches.values import as_bytes, elements_of, kind_of, numbers_of, text_of
from tfspark.tensors.values import to_arrow

# How many texts are drawn from the first batch of a task, and from each later batch. They are few,
# because texts cost much more than numbers.
_FIRST_TEXTS, _TEXTS = 2048, 128

_PLAIN = ("str", "int", "float | None", "int | None")
_SUMS = (
    "rows",
    "nulls",
    "values",
    "null_values",
    "looked",
    "nan",
    "infinite",
    "drawn",
    "unmeasured",
    "weight_squares",
)


@dataclass
class ColumnSketch:
    """The statistics of the rows of a column so far.

    The quantiles, the moments and the frequent values come from values that are drawn at random.
    Everything else is exact if `looked` equals `values`. Otherwise, only the counts of rows, nulls
    and values are exact: NaN and infinities are estimates from the drawn values, and other values
    may lie outside the least and the greatest one.

    Attributes:
        kind: Kind of the values, or of the elements of arrays: `number`, `text`, `flag` or `other`.
        rows: Number of rows.
        nulls: Rows that are null.
        values: Values that are not null: rows, or elements of arrays.
        null_values: Elements of arrays that are null.
        looked: Number of values in batches of which all values were read.
        nan: Values that are NaN.
        infinite: Values that are infinite.
        least: The least finite number, an `int` for integers; `None` without a finite number.
        greatest: The greatest finite number; `None` without a finite number.
        shortest: The least length of an array; `None` without arrays.
        longest: The greatest length of an array.
        unmeasured: Rows of arrays whose lengths were not looked at; they may have other lengths.
        drawn: Number of values that were drawn.
        weight_squares: Sum of the squared weights of the drawn values.
        level: One of 2^level numbers is drawn next.
        expected: Rows of the task; 0 if unknown.
    """

    kind: str = "other"
    rows: int = 0
    nulls: int = 0
    values: int = 0
    null_values: int = 0
    looked: int = 0
    nan: int = 0
    infinite: int = 0
    least: float | None = None
    greatest: float | None = None
    shortest: int | None = None
    longest: int | None = None
    unmeasured: int = 0
    drawn: int = 0
    weight_squares: int = 0
    level: int = 0
    expected: int = 0
    quantiles: Quantiles = field(default_factory=Quantiles)
    moments: Moments = field(default_factory=Moments)
    frequent: Frequent = field(default_factory=Frequent)
    # Drawn numbers: those known to be finite, and those not yet checked.
    _waiting: list[Numbers] = field(default_factory=list)
    _unseen: list[Numbers] = field(default_factory=list)
    _waits: int = 0
    _plain: np.dtype[Any] | None = None  # of a column of numbers that are not decimals

    def add(self, column: dtypes.ArrowArray, draw: Draw, *, whole: bool = True) -> None:
        """Add the rows of a batch.

        Args:
            column: The rows.
            draw: Draws some of them.
            whole: Whether all values are read, or only the drawn ones.
        """
        rows, nulls = len(column), column.null_count
        self.rows += rows
        plain = self._plain
        if plain is not None and rows and not (whole or nulls):
            # `to_numpy` does the same, but takes twice as long, which matters in a wide table.
            self.values += rows
            data: Any = column.buffers()[1]
            numbers = np.frombuffer(data, plain, rows, column.offset * plain.itemsize)
            self._draw(numbers, draw, whole=False)
            return
        self.nulls += nulls
        inner: Any = column
        if dtypes.is_list(column.type):
            inner = self._elements(column, whole=whole)
            nulls = inner.null_count
            self.null_values += nulls
        if self.kind == "other":
            self.kind = kind_of(inner.type)
            if self.kind == "number" and pa.types.is_primitive(column.type):
                self._plain = dtypes.numpy_type(column.type)
        values: Any = inner.drop_null() if nulls else inner
        count = len(values)
        self.values += count
        if not count or self.kind == "other":
            return
        if self.kind != "number":
            self._add_texts(values, draw)
        elif whole:
            self.looked += count
            self._add_numbers(numbers_of(values), draw)
        else:
            self._draw(numbers_of(values), draw, whole=False)

    def merge(self, other: ColumnSketch) -> None:
        """Add the rows of another task."""
        self.finish()
        other.finish()
        self.kind = self.kind if other.kind == "other" else other.kind
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.least is not None:
            self._widen("least", "greatest", other.least, other.greatest)
        if other.shortest is not None:
            self._widen("shortest", "longest", other.shortest, other.longest)
        self.quantiles.merge(other.quantiles)
        self.moments.merge(other.moments)
        self.frequent.merge(other.frequent)

    def finish(self) -> None:
        """Add the numbers that still wait; afterwards the sketch has its smallest size."""
        if self._unseen:
            self._waiting.append(self._look_at_drawn(np.concatenate(self._unseen)))
        if self._waiting:
            numbers = np.concatenate(self._waiting)
            self.quantiles.add(numbers, self.level)
            # A sketch of quantiles bounds errors of ranks, so its mean may miss an extreme number.
            self.moments.add(numbers.astype(np.float64), 1 << self.level)
            self.weight_squares += len(numbers) << 2 * self.level
        self._waiting, self._unseen, self._waits = [], [], 0

    def weigh_texts(self, factor: int) -> None:
        """Multiply the weights of the texts, for a task that stands for several; 0 drops them."""
        if self.frequent.weight:
            self.frequent = self.frequent.times(factor)
            self.weight_squares *= factor**2
            self.drawn *= min(factor, 1)

    @property
    def effective(self) -> int:
        """How many values of equal weight describe the column as well as the drawn ones.

        Source: L. Kish, "Survey Sampling" (Wiley, 1965).
        """
        weight = int(self.moments.weight) or self.frequent.weight
        return weight**2 // self.weight_squares if self.weight_squares else 0

    def _elements(self, lists: Any, *, whole: bool) -> Any:
        """Return the elements of arrays; look at the lengths."""
        # Arrow makes an array of all lengths; for 65 536 arrays this takes 20 µs.
        if pa.types.is_fixed_size_list(lists.type):
            if lists.null_count < len(lists):
                size = lists.type.list_size
                self._widen("shortest", "longest", size, size)
        elif not whole:
            self.unmeasured += len(lists) - lists.null_count
        else:
            found = pc.min_max(pc.list_value_length(lists))
            if found["min"].is_valid:
                self._widen("shortest", "longest", found["min"].as_py(), found["max"].as_py())
        while dtypes.is_list(lists.type):
            lists = elements_of(lists)
        return lists

    def _widen(self, low: str, high: str, least: Any, greatest: Any) -> None:
        before = getattr(self, low)
        if before is None or least < before:
            setattr(self, low, least)
        if before is None or greatest > getattr(self, high):
            setattr(self, high, greatest)

    def _add_numbers(self, numbers: Numbers, draw: Draw) -> None:
        finite, nan, infinite = self._look_at(numbers)
        self.nan += nan
        self.infinite += infinite
        if len(finite):
            self._draw(finite, draw)

    def _look_at(self, numbers: Numbers) -> tuple[Numbers, int, int]:
        """Widen the range; return the finite numbers, and how many are NaN and infinite."""
        # The results are NaN if one of the numbers is NaN. For few numbers, a NumPy call costs more
        # than its work, so there are only two calls.
        least, greatest = np.minimum.reduce(numbers).item(), np.maximum.reduce(numbers).item()
        nan = infinite = 0
        if not (isfinite(least) and isfinite(greatest)):
            nan = int(np.count_nonzero(np.isnan(numbers)))
            finite = numbers[np.isfinite(numbers)]
            infinite = len(numbers) - len(finite) - nan
            if not len(finite):
                return finite, nan, infinite
            numbers, least, greatest = finite, finite.min().item(), finite.max().item()
        self._widen("least", "greatest", least, greatest)
        return numbers, nan, infinite

    def _look_at_drawn(self, numbers: Numbers) -> Numbers:
        """Count drawn numbers, each of which stands for 2^`level`; return the finite ones."""
        finite, nan, infinite = self._look_at(numbers)
        self.nan += nan << self.level
        self.infinite += infinite << self.level
        self.drawn -= nan + infinite
        return finite

    def _draw(self, numbers: Numbers, draw: Draw, *, whole: bool = True) -> None:
        count, most = len(numbers), self.quantiles.room
        if not self.drawn and self.expected:
            # Assumes that the later rows have as many values on average as those so far.
            self.level = level_for(self.expected * self.values // self.rows, most)
        if self._waits + (count >> self.level) > most:
            self.finish()
            self.level = max(self.level + 1, level_for(count, most // 2))
        level = self.level
        some = numbers[draw.positions(count, level)] if level else numbers.copy()
        if not len(some):  # the batch is shorter than a block
            return
        (self._waiting if whole else self._unseen).append(some)
        self._waits += len(some)
        self.drawn += len(some)

    def _add_texts(self, texts: Any, draw: Draw) -> None:
        level = level_for(len(texts), max(_FIRST_TEXTS - self.drawn, _TEXTS))
        some = texts.take(to_arrow(draw.positions(len(texts), level))) if level else texts
        counts: Counter[str] = Counter()
        for pair in pc.value_counts(as_bytes(some)).to_pylist():
            counts[text_of(pair["values"])] += pair["counts"] << level
        self.frequent.add(counts)
        self.drawn += len(some)
        self.weight_squares += len(some) << 2 * level

    def __getstate__(self) -> tuple[Any, ...]:
        # A job may have 100 000 tasks with 100 columns each, so the state contains no names.
        self.finish()
        frequent = self.frequent if self.frequent.weight else None
        counts, moments = (getattr(self, name) for name in _COUNTS), self.moments
        return *counts, moments.mean, moments.squares, self.quantiles.__getstate__(), frequent

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *counts, mean, squares, quantiles, frequent = state
        for name, value in zip(_COUNTS, counts, strict=True):
            setattr(self, name, value)
        self.quantiles = Quantiles()
        self.quantiles.__setstate__(quantiles)
        self.moments = Moments(self.quantiles.weight, mean, squares)
        self.frequent = Frequent() if frequent is None else frequent
        self._waiting, self._unseen, self._waits = [], [], 0


# The level and the expected rows matter only while a task draws.
_COUNTS = [
    one.name
    for one in fields(ColumnSketch)
    if one.type in _PLAIN and one.name not in ("level", "expected")
]
