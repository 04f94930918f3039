"""Numbers in the type of their input: as they are, widened, or narrowed and checked one by one.

A value that does not fit raises `RowProblem`; none is ever wrapped.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfspark import dtypes
from tfspark.schema import InputBinding
from tfspark.tensors.values import (
    Array,
    Flags,
    RowProblem,
    to_numpy,
)


def numbers(array: dtypes.ArrowArray, one: InputBinding, column: str, width: int) -> Array:
    """Return numbers in the input's type; `width` is the number of elements per row."""
    dtype = dtypes.by_name(one.spec.dtype)
    target = np.dtype(dtype.numpy)
    source = to_numpy(array)
    if dtypes.conversion(array.type, dtype) != "narrow":
        return source.astype(target, copy=False)
    narrowed = _narrow(source, target)
    wrong = np.flatnonzero(misfits(source, narrowed))
    if len(wrong):
        first = int(wrong[0])
        problem = f"{source[first].item()!r} does not fit {target.name}"
        raise RowProblem(first // max(width, 1), column, problem)
    return narrowed


def _narrow(source: Array, target: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return source.astype(target)


def misfits(source: Array, narrowed: Array) -> Flags:
    """Return which numbers did not fit their new type.

    Rounding to a shorter float is what was asked for; an overflow, a fraction or NaN made integer,
    or a wrapped integer is not.
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
