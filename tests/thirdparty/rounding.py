"""The value of a number in a tensor, computed with fractions, without tfspark and NumPy.

A floating-point input gets the nearest of its values, ties to even; a number beyond the largest
finite value is refused. An integer input gets an integer in its range.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

# Bits of the significand, and the exponents of the smallest and the largest power of two.
FLOATS = {
    "float16": (11, -24, 15),
    "bfloat16": (8, -133, 127),
    "float32": (24, -149, 127),
    "float64": (53, -1074, 1023),
}
INTEGERS = {
    name: (0 if name[0] == "u" else -(2 ** (bits - 1)), 2 ** (bits - (name[0] != "u")) - 1)
    for name, bits in {
        "uint8": 8,
        "uint16": 16,
        "uint32": 32,
        "uint64": 64,
        "int8": 8,
        "int16": 16,
        "int32": 32,
        "int64": 64,
    }.items()
}


def fed(value: int | float | Decimal | bool, dtype: str) -> Any:
    """Return the fed value for an input of a type; `None` if the row is bad."""
    if dtype == "bool":
        return value
    if dtype in INTEGERS:
        return _integer(value, *INTEGERS[dtype])
    if isinstance(value, float) and (value == 0 or not math.isfinite(value)):
        return value  # a fraction has no negative zero
    return _nearest(Fraction(value), *FLOATS[dtype])


def _integer(value: Any, low: int, high: int) -> int | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    exact = Fraction(value)
    is_fitting = exact.denominator == 1 and low <= exact <= high
    return int(exact) if is_fitting else None


def _nearest(exact: Fraction, bits: int, lowest: int, highest: int) -> float | None:
    """Return the nearest value with this number of bits; `None` beyond the largest."""
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    if Fraction(2) ** exponent > size:
        exponent -= 1
    step = Fraction(2) ** max(exponent - bits + 1, lowest)
    rounded = round(size / step) * step  # Python rounds ties to even
    if rounded >= Fraction(2) ** (highest + 1):
        return None
    return math.copysign(float(rounded), exact)
