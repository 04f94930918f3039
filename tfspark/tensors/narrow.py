"""Numbers in the type of their input: as they are, widened, rounded, or checked one by one.

A value that does not fit raises `RowProblem`; none is ever wrapped. Executor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.feeding import InputBinding
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
        raise _problem(source[wrong[0]].item(), int(wrong[0]), target, column, width)
    return narrowed


def _problem(value: Any, index: int, target: np.dtype[Any], column: str, width: int) -> RowProblem:
    return RowProblem(index // max(width, 1), column, f"{value!r} does not fit {target.name}")


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
        for index, value in enumerate(values):
            if value != int(value) or not -(2**63) <= value < 2**63:
                raise _problem(str(value), index, target, column, width) from None
        raise


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
