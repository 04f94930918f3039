"""Compares the answers of two engines to the same rows. Executor.

Floats may differ by a small share of the largest value of their column, because other kernels add
in another order. A vector of floats may be the probabilities of classes, so its largest element
must be at the same place. All other values must be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfspark import dtypes
from tfspark.tensors import Array
from tfspark.tensors.values import to_numpy

# The largest accepted difference of two floats, as a share of the largest value of their column.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Difference:
    """The first row in which two columns differ.

    Attributes:
        row: Position of the row.
        is_beyond: Whether numbers differ by more than the tolerance. Otherwise a whole number or a
            text differs, or another element of a vector is the largest.
    """

    row: int
    is_beyond: bool


def first_difference(expected: Any, found: Any) -> Difference | None:
    """Return the first difference of two Arrow columns of one type; `None` if they agree."""
    if expected.equals(found):
        return None
    if (at := _first(to_numpy(pc.not_equal(expected.is_valid(), found.is_valid())))) is not None:
        return Difference(at, is_beyond=True)
    rows = np.arange(len(expected))
    lengths = np.ones(0, np.int64)
    while dtypes.is_list(expected.type):
        lengths, others = (to_numpy(_lengths(one)) for one in (expected, found))
        if (at := _first(lengths != others)) is not None:
            return Difference(int(rows[at]), is_beyond=True)
        rows = np.repeat(rows, lengths)
        expected, found = expected.flatten(), found.flatten()
    if not pa.types.is_floating(expected.type):
        at = _first(to_numpy(pc.not_equal(expected, found).fill_null(False)))
        return None if at is None else Difference(int(rows[at]), is_beyond=False)
    left, right = (to_numpy(one.fill_null(0)).astype(np.float64) for one in (expected, found))
    if (at := _first(~_are_close(left, right))) is not None:
        return Difference(int(rows[at]), is_beyond=True)
    return _other_class(left, right, lengths, rows)


def _are_close(left: Array, right: Array) -> Array:
    """Whether floats agree; infinity and NaN agree with themselves."""
    finite = np.abs(left[np.isfinite(left)])
    scale = finite.max() if len(finite) else 0.0
    with np.errstate(invalid="ignore"):
        near = np.abs(left - right) <= TOLERANCE * scale
    close: Array = near | (left == right) | (np.isnan(left) & np.isnan(right))
    return close


def _other_class(left: Array, right: Array, lengths: Array, rows: Array) -> Difference | None:
    """Return the first vector whose largest element is at another place; nulls have no elements."""
    lengths = lengths[lengths > 0]
    size = int(lengths[0]) if len(lengths) else 0
    if size < 2 or (lengths != size).any():
        return None
    classes, others = (one.reshape(-1, size).argmax(axis=1) for one in (left, right))
    at = _first(classes != others)
    return None if at is None else Difference(int(rows[at * size]), is_beyond=False)


def _first(flags: Array) -> int | None:
    return int(flags.argmax()) if flags.any() else None


def _lengths(lists: Any) -> Any:
    return pc.list_value_length(lists).fill_null(0)
