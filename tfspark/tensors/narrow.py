"""Numbers in the type of their input: as they are, widened, rounded, or checked one by one.

Values that do not fit raise `RowProblem`; none is ever wrapped. Executor.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.feeding import InputBinding
from tfspark.rows import Code, Reason
from tfspark.tensors.values import (
    Array,
    Flags,
    RowProblem,
    Rows,
    to_numpy,
)


def numbers(array: dtypes.ArrowArray, bound: InputBinding, column: str, width: int) -> Array:
    """Return numbers in the input's type; `width` is the number of elements per row."""
    dtype = dtypes.by_name(bound.spec.dtype)
    target = np.dtype(dtype.numpy)
    if dtypes.is_decimal(array.type):
        array = _decimals(array, target, column, width)
    source = to_numpy(array)
    if source.dtype == target:
        return source
    if dtypes.conversion(array.type, dtype) == "widen":
        return source.astype(target)
    narrowed = _narrow(source, target)
    wrong = np.flatnonzero(misfits(source, narrowed))
    if len(wrong):
        raise _problem(wrong, lambda index: source[index].item(), target, column, width)
    return narrowed


def _problem(
    wrong: Rows,
    value_of: Callable[[int], Any],
    target: np.dtype[Any],
    column: str,
    width: int,
) -> RowProblem:
    """Return the problem of the rows of some elements; the first element of a row is its reason."""
    rows, firsts = np.unique(wrong // max(width, 1), return_index=True)

    def reason_of(position: int) -> Reason:
        value = value_of(int(wrong[firsts[position]]))
        shown = repr(str(value)) if isinstance(value, Decimal) else repr(value)
        return Reason(_code(value, target), f"{shown} does not fit {target.name}", column)

    return RowProblem(rows, reason_of)


def _code(value: Any, target: np.dtype[Any]) -> Code:
    """Return why a number does not fit a type."""
    if value != value:
        return "NOT_A_NUMBER"
    if target.kind == "f" or not np.iinfo(target).min <= value <= np.iinfo(target).max:
        return "OUT_OF_RANGE"
    return "FRACTION"


def _decimals(
    array: dtypes.ArrowArray, target: np.dtype[Any], column: str, width: int
) -> dtypes.ArrowArray:
    """Return decimals as floats, each rounded once from its digits, or as integers."""
    if target.kind == "f":
        return array.cast(pa.string()).cast(pa.float32() if target.itemsize == 4 else pa.float64())
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        values: list[Any] = array.to_pylist()
        wrong = [
            index
            for index, value in enumerate(values)
            if value != int(value) or not -(2**63) <= value < 2**63
        ]
        if not wrong:
            raise
        raise _problem(np.array(wrong), values.__getitem__, target, column, width) from None


def _narrow(source: Array, target: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return source.astype(target)


def misfits(source: Array, narrowed: Array) -> Flags:
    """Return which numbers did not fit their new type.

    Rounding to the precision of a float is what was asked for; an overflow, a fraction or NaN made
    integer, or a wrapped integer is not.
    """
    found: Flags
    if narrowed.dtype.kind == "f":
        found = np.isinf(narrowed)
        return found & ~np.isinf(source) if found.any() else found
    info = np.iinfo(narrowed.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        found = (narrowed.astype(source.dtype) != source) | (source < info.min)
        if source.dtype.kind != "f":
            return found | (source > info.max)
        # A power of two is exact in every float, unlike the largest integer itself.
        limit = 2.0 ** (info.bits - (info.min < 0))
        return found | (source >= limit) | ~np.isfinite(source)
