"""Converts between floats and bfloat16, a type that NumPy and Arrow lack. Driver and executor.

A tensor of bfloat16 is a NumPy array of float32 whose values bfloat16 can hold. Only an engine sees
an element as 16 bits: the upper half of the bits of the float32.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


def nearest(values: Array) -> Array:
    """Return the bfloat16 nearest to each number, as float32; infinity beyond the largest one.

    Ties go to even. To avoid double rounding through float32, its last bit is set where the
    conversion to float32 lost any digits (rounding to odd, see `tfspark.rounding`).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        near = values.astype(np.float32)
    if values.dtype.itemsize > 2:
        exact = _doubles(values)
        is_inexact = (near != exact) & ~np.isnan(exact)
        bits = near.view(np.uint32)
        bits = np.where(is_inexact, (bits - (np.abs(near) > np.abs(exact))) | 1, bits)
        near = np.asarray(bits, np.uint32).view(np.float32)
    return from_bits(to_bits(near))


def _doubles(values: Array) -> Array:
    """Return numbers as doubles; integers that need more than 53 bits are rounded to odd.

    A number rounded to odd lies on the same side of each float and tie, so the next rounding is
    correct.
    """
    found = values.astype(np.float64)
    if values.dtype.kind not in "iu":
        return found
    is_long = np.abs(found) >= 2.0**53
    if not is_long.any():
        return found
    is_cut = is_long & (values % (1 << 11) != 0)
    return np.where(is_cut, ((values >> 11 | 1) << 11).astype(np.float64), found)


def to_bits(values: Array) -> npt.NDArray[np.uint16]:
    """Return the 16 bits of the bfloat16 nearest to each float32, ties to even."""
    bits = np.asarray(values, order="C").view(np.uint32)  # keeps the shape of a scalar
    upper = bits >> 16
    rounded = (bits + (0x7FFF + (upper & 1))) >> 16
    # Rounding could make a NaN infinite, so its upper half is kept, with one bit set.
    found = np.where(np.isnan(values), upper | 0x40, rounded)
    return np.asarray(found, np.uint16)


def from_bits(bits: npt.NDArray[np.uint16]) -> Array:
    """Return the values of bfloat16 elements, given as 16 bits, as float32."""
    return np.asarray(bits.astype(np.uint32) << 16).view(np.float32)
