"""Rounds decimals and long integers once to floats of at most 32 bits. Driver and executor.

If a decimal or a long integer is converted to a double and then to a narrower float, it is rounded
twice. The double may lie exactly between two floats, although the number does not. Only such
doubles are compared with the original numbers.

Source: S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
using rounding to odd", IEEE Transactions on Computers 57 (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tfspark import aligned, bfloat16
from tfspark.dtypes import DType

Array: TypeAlias = npt.NDArray[Any]
Exact: TypeAlias = Decimal | int | float


def narrowed(values: Array, target: DType) -> Array:
    """Return numbers in another type; numbers that do not fit become infinite, or wrap around."""
    if target.is_bfloat16:
        return bfloat16.nearest(values)
    with np.errstate(over="ignore", invalid="ignore"):
        return aligned.copy(values, target.numpy)


def nearest(doubles: Array, target: DType, exact: Callable[[int], Exact]) -> Array:
    """Return the floats nearest to numbers, ties to even; infinite beyond the largest.

    Args:
        doubles: The doubles nearest to the numbers.
        target: The type of the floats.
        exact: Index → the number itself.
    """
    found = narrowed(doubles, target)
    if found.itemsize == doubles.itemsize:
        return found
    below, above = (narrowed(np.nextafter(doubles, side), target) for side in (-np.inf, np.inf))
    # A double midway between two floats ends in zero bits; its neighbours end in a 1.
    is_between = (below != above) & (doubles.view(np.int64) & 1 == 0) & np.isfinite(doubles)
    for index in np.flatnonzero(is_between):
        number, double = exact(int(index)), float(doubles[index])
        if number != double:
            found[index] = (above if number > double else below)[index]
    return found


def nearest_one(number: Exact, target: DType) -> Any:
    """Return the float nearest to a number, as `nearest` does.

    Raises:
        OverflowError: When the number is beyond the range of doubles.
    """
    return nearest(np.array([float(number)]), target, lambda _: number)[0]
