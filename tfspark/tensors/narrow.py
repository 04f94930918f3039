"""Converts numbers to the type of their input: unchanged, widened, rounded once, or checked.

Executor. A value that does not fit raises `RowProblem`; it never wraps around.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import aligned, dtypes
from tfspark.feeding import InputBinding
from tfspark.rounding import narrowed, nearest
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
    if not dtypes.is_decimal(array.type):
        source = to_numpy(array)
        if source.dtype == target and not dtype.is_bfloat16:
            return source
        if dtypes.conversion(array.type, dtype) == "widen":
            return aligned.copy(source, target)
        found = narrowed(source, dtype)
    elif target.kind == "f":
        source = to_numpy(array.cast(pa.string()).cast(pa.float64()))
        found = nearest(source, dtype, lambda index: array[index].as_py())
    else:
        source = to_numpy(_integers(array, dtype, column, width))
        found = narrowed(source, dtype)
    wrong = np.flatnonzero(misfits(source, found))
    if len(wrong):
        raise _problem(wrong, lambda index: source[index].item(), dtype, column, width)
    return found


def _problem(
    wrong: Rows,
    value_of: Callable[[int], Any],
    target: dtypes.DType,
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


def _code(value: Any, target: dtypes.DType) -> Code:
    """Return why a number does not fit a type."""
    if value != value:
        return "NOT_A_NUMBER"
    kind = np.dtype(target.numpy)
    if kind.kind == "f" or not np.iinfo(kind).min <= value <= np.iinfo(kind).max:
        return "OUT_OF_RANGE"
    return "FRACTION"


def _integers(
    array: dtypes.ArrowArray, target: dtypes.DType, column: str, width: int
) -> dtypes.ArrowArray:
    """Return decimals as integers of 64 bits, signed or unsigned like the target."""
    wide = np.dtype(np.uint64 if target.numpy == "uint64" else np.int64)
    try:
        return array.cast(pa.from_numpy_dtype(wide))
    except pa.ArrowInvalid:
        values: list[Any] = array.to_pylist()
        limits = np.iinfo(wide)
        wrong = [
            index
            for index, value in enumerate(values)
            if value != int(value) or not limits.min <= value <= limits.max
        ]
        if not wrong:
            raise
        raise _problem(np.array(wrong), values.__getitem__, target, column, width) from None


def misfits(source: Array, found: Array) -> Flags:
    """Return which numbers did not fit their new type.

    A number that is only rounded to the precision of a float fits. Numbers that overflow or wrap
    around, and fractions or NaN in an integer type, do not.
    """
    wrong: Flags
    if found.dtype.kind == "f":
        wrong = np.isinf(found)
        return wrong & ~np.isinf(source) if wrong.any() else wrong
    info = np.iinfo(found.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = (found.astype(source.dtype) != source) | (source < info.min)
        if source.dtype.kind != "f":
            return wrong | (source > info.max)
        # A power of two is exact in every float, unlike the largest integer itself.
        limit = 2.0 ** (info.bits - (info.min < 0))
        return wrong | (source >= limit) | ~np.isfinite(source)
