"""Numbers in the type of their input: as they are, widened, rounded once, or checked one by one.

A value that does not fit raises `RowProblem`; none is ever wrapped. Executor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.feeding import InputBinding
from tfspark.rounding import narrowed, nearest
from tfspark.tensors.values import (
    Array,
    Flags,
    RowProblem,
    to_numpy,
)


def numbers(array: dtypes.ArrowArray, bound: InputBinding, column: str, width: int) -> Array:
    """Return numbers in the input's type; `width` is the number of elements per row."""
    dtype = dtypes.by_name(bound.spec.dtype)
    target = np.dtype(dtype.numpy)
    if not dtypes.is_decimal(array.type):
        source = to_numpy(array)
        if source.dtype == target:
            return source
        if dtypes.conversion(array.type, dtype) == "widen":
            return source.astype(target)
        found = narrowed(source, target)
    elif target.kind == "f":
        source = to_numpy(array.cast(pa.string()).cast(pa.float64()))
        found = nearest(source, target, lambda index: array[index].as_py())
    else:
        source = to_numpy(_integers(array, target, column, width))
        found = narrowed(source, target)
    wrong = np.flatnonzero(misfits(source, found))
    if len(wrong):
        raise _problem(source[wrong[0]].item(), int(wrong[0]), target, column, width)
    return found


def _problem(value: Any, index: int, target: np.dtype[Any], column: str, width: int) -> RowProblem:
    return RowProblem(index // max(width, 1), column, f"{value!r} does not fit {target.name}")


def _integers(
    array: dtypes.ArrowArray, target: np.dtype[Any], column: str, width: int
) -> dtypes.ArrowArray:
    """Return decimals as integers of 64 bits."""
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        values: list[Any] = array.to_pylist()
        for index, value in enumerate(values):
            if value != int(value) or not -(2**63) <= value < 2**63:
                raise _problem(str(value), index, target, column, width) from None
        raise


def misfits(source: Array, found: Array) -> Flags:
    """Return which numbers did not fit their new type.

    Rounding to the precision of a float is what was asked for; an overflow, a fraction or NaN made
    integer, or a wrapped integer is not.
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
