"""The statistics of one column, in one pass. Driver and executor.

Arrays are described by their elements, all together, and by their lengths. Booleans and texts are
described by their most frequent values. Columns of other types have only counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
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
from tfspark.tensors.values import to_arrow, to_numpy

# Drawn numbers wait until there are this many, because sorting many at once costs less.
_WAITING = 1 << 14
# The most characters of a text that are kept.
LONGEST = 120


@dataclass
class ColumnSketch:
    """The statistics of the rows of a column so far.

    Attributes:
        kind: Kind of the values, or of the elements of arrays: `number`, `text`, `flag` or `other`.
        rows: Number of rows.
        nulls: Rows that are null.
        values: Values that are not null: rows, or elements of arrays.
        null_values: Elements of arrays that are null.
        nan: Values that are NaN.
        infinite: Values that are infinite.
        least: The least finite number; `None` without a finite number.
        greatest: The greatest finite number; `None` without a finite number.
        shortest: The least length of an array; `None` without arrays.
        longest: The greatest length of an array.
        drawn: Number of sampled values, which give the quantiles, moments and frequent values.
    """

    kind: str = "other"
    rows: int = 0
    nulls: int = 0
    values: int = 0
    null_values: int = 0
    nan: int = 0
    infinite: int = 0
    least: float | None = None
    greatest: float | None = None
    shortest: int | None = None
    longest: int | None = None
    drawn: int = 0
    moments: Moments = field(default_factory=Moments)
    quantiles: Quantiles = field(default_factory=Quantiles)
    frequent: Frequent = field(default_factory=Frequent)
    _waiting: dict[int, list[Numbers]] = field(default_factory=dict)
    _waits: int = 0

    def add(self, column: dtypes.ArrowArray, draw: Draw) -> None:
        """Add the rows of a batch."""
        self.rows += len(column)
        self.nulls += column.null_count
        inner: Any = column
        while dtypes.is_list(inner.type):
            if inner is column:
                self._add_lengths(pc.list_value_length(inner))
            inner = inner.flatten()
        if inner is not column:
            self.null_values += inner.null_count
        self.kind = kind_of(inner.type)
        values: Any = inner.drop_null() if inner.null_count else inner
        self.values += len(values)
        if not len(values) or self.kind == "other":
            return
        if self.kind == "number":
            self._add_numbers(_numbers(values), draw)
        else:
            self._add_texts(values, draw)

    def merge(self, other: ColumnSketch) -> None:
        """Add the rows of another task."""
        self.finish()
        other.finish()
        self.kind = self.kind if other.kind == "other" else other.kind
        for name in ("rows", "nulls", "values", "null_values", "nan", "infinite", "drawn"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.least, self.greatest = _both(self, other, "least", "greatest")
        self.shortest, self.longest = _both(self, other, "shortest", "longest")
        self.moments.merge(other.moments)
        self.quantiles.merge(other.quantiles)
        self.frequent.merge(other.frequent)

    def finish(self) -> None:
        """Add the numbers that still wait; afterwards the sketch has its smallest size."""
        parts = {
            level: np.concatenate(some).astype(np.float64) for level, some in self._waiting.items()
        }
        for level, numbers in parts.items():
            self.moments.add(numbers, float(1 << level))
        self.quantiles.extend(parts)
        self._waiting, self._waits = {}, 0

    def _add_lengths(self, lengths: Any) -> None:
        found = pc.min_max(lengths)
        if found["min"].is_valid:
            self._widen("shortest", "longest", found["min"].as_py(), found["max"].as_py())

    def _widen(self, low: str, high: str, least: Any, greatest: Any) -> None:
        before = getattr(self, low)
        setattr(self, low, least if before is None else min(before, least))
        setattr(self, high, greatest if before is None else max(getattr(self, high), greatest))

    def _add_numbers(self, numbers: Numbers, draw: Draw) -> None:
        # The result is NaN if one of the numbers is NaN.
        least, greatest = float(np.minimum.reduce(numbers)), float(np.maximum.reduce(numbers))
        if not (isfinite(least) and isfinite(greatest)):
            numbers = self._finite(numbers)
            if not len(numbers):
                return
            least, greatest = float(numbers.min()), float(numbers.max())
        self._widen("least", "greatest", least, greatest)
        level = level_for(len(numbers), self.drawn)
        some = numbers[draw.positions(len(numbers), level)] if level else numbers.copy()
        self._waiting.setdefault(level, []).append(some)
        self._waits += len(some)
        self.drawn += len(some)
        if self._waits > _WAITING:
            self.finish()

    def _finite(self, numbers: Numbers) -> Numbers:
        """Count NaN and infinities, and leave them out."""
        nan = int(np.count_nonzero(np.isnan(numbers)))
        finite = numbers[np.isfinite(numbers)]
        self.nan += nan
        self.infinite += len(numbers) - len(finite) - nan
        return finite

    def _add_texts(self, texts: Any, draw: Draw) -> None:
        level = level_for(len(texts), self.drawn)
        some = texts.take(to_arrow(draw.positions(len(texts), level))) if level else texts
        counts: Counter[str] = Counter()
        for pair in pc.value_counts(_as_bytes(some)).to_pylist():
            counts[_text(pair["values"])] += pair["counts"] << level
        self.frequent.add(counts)
        self.drawn += len(some)


def kind_of(arrow: pa.DataType) -> str:
    """Return the kind of statistics for a type: `number`, `text`, `flag` or `other`."""
    if pa.types.is_boolean(arrow):
        return "flag"
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return "number"
    return "text" if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) else "other"


def _numbers(values: Any) -> Numbers:
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    numbers = to_numpy(values)
    return numbers.astype(np.float32) if numbers.dtype == np.float16 else numbers


def _as_bytes(texts: Any) -> Any:
    """Return texts as bytes, because a text of Spark may be no UTF-8."""
    if pa.types.is_boolean(texts.type):
        return texts
    return texts.cast(pa.large_binary() if pa.types.is_large_string(texts.type) else pa.binary())


def _text(value: bool | bytes) -> str:
    text = str(value).lower() if isinstance(value, bool) else value.decode("utf-8", "replace")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _both(one: ColumnSketch, other: ColumnSketch, low: str, high: str) -> tuple[Any, Any]:
    """Return the least and the greatest of two sketches; `None` stands for no value."""
    lows = [getattr(part, low) for part in (one, other) if getattr(part, low) is not None]
    highs = [getattr(part, high) for part in (one, other) if getattr(part, high) is not None]
    return (min(lows), max(highs)) if lows else (None, None)
