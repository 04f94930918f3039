"""Numbers that are fed to a model: rounded once, checked one by one, never wrapped."""

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark import dtypes
from tfspark.feeding import InputBinding
from tfspark.signature import TensorSpec
from tfspark.tensors import RowProblem
from tfspark.tensors.narrow import numbers


def fed(values, arrow, dtype, width=1):
    bound = InputBinding(TensorSpec("x", dtype, (None,)), ("c",))
    return numbers(pa.array(values, arrow), bound, "c", width)


def refused(values, arrow, dtype, width=1):
    with pytest.raises(RowProblem) as caught:
        fed(values, arrow, dtype, width)
    return caught.value.row, caught.value.first.message


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28)))
def test_a_decimal_is_rounded_once(value):
    value = min(value, Decimal(10**28))
    arrow = pa.decimal128(38, 9)
    assert fed([value], arrow, "float64")[0] == float(value)
    nearest = fed([value], arrow, "float32")[0]
    around = [np.nextafter(nearest, np.float32(side)) for side in (-np.inf, np.inf)]
    distance = abs(Decimal(float(nearest)) - value)
    assert all(distance <= abs(Decimal(float(other)) - value) for other in around)


def test_whole_decimals_feed_integers():
    assert fed([Decimal(7), Decimal(-7)], pa.decimal128(20, 0), "int32").tolist() == [7, -7]
    assert fed([Decimal("7.00")], pa.decimal128(20, 2), "int8").tolist() == [7]
    assert refused([Decimal("1.00"), Decimal("1.50")], pa.decimal128(9, 2), "int64") == (
        1,
        "'1.50' does not fit int64",
    )
    assert refused([Decimal(2**70)], pa.decimal128(38, 0), "int64")[0] == 0


def test_decimals_feed_every_integer_of_64_bits_without_a_sign():
    kind = pa.decimal128(20, 0)
    every = [Decimal(0), Decimal(2**63), Decimal(2**64 - 1)]
    assert fed(every, kind, "uint64").tolist() == every
    assert fed([Decimal("18446744073709551615.00")], pa.decimal128(22, 2), "uint64")[0] == 2**64 - 1
    for value in (-1, 2**64):
        assert refused([Decimal(0), Decimal(value)], kind, "uint64") == (
            1,
            f"'{value}' does not fit uint64",
        )


@pytest.mark.parametrize(
    ("arrow", "dtype", "fits", "too_large"),
    [
        (pa.int16(), "uint8", [0, 255], [-1, 256]),
        (pa.int32(), "uint16", [0, 65535], [-1, 65536]),
        (pa.int64(), "uint32", [0, 2**32 - 1], [-1, 2**32]),
        (pa.int64(), "int8", [-128, 127], [-129, 128]),
        (pa.int64(), "uint64", [0, 2**63 - 1], [-1, -(2**63)]),
        (pa.uint64(), "uint64", [0, 2**64 - 1], []),
        (pa.float64(), "uint64", [0.0, 2.0**63, 2.0**64 - 2048], [-1.0, 2.0**64, math.inf]),
        (pa.float64(), "float32", [2.0**127, math.inf, -0.0], [3.5e38, -1e300]),
        (pa.float32(), "float16", [65504.0, math.inf], [65520.0]),
        (pa.int64(), "float16", [65504, -65504], [65520, 2**40]),
    ],
)
def test_a_value_out_of_range_is_named_and_never_wrapped(arrow, dtype, fits, too_large):
    assert fed(fits, arrow, dtype).tolist() == fits
    for value in too_large:
        assert refused([fits[0], value], arrow, dtype) == (1, f"{value!r} does not fit {dtype}")
        assert refused([*fits[:2], value, *fits[:1]], arrow, dtype, width=2)[0] == 1


@pytest.mark.parametrize("dtype", [row.name for row in dtypes.TABLE if row.name != "string"])
def test_truth_counts_as_0_and_1(dtype):
    assert fed([True, False], pa.bool_(), dtype).tolist() == [1, 0]


def test_integers_are_rounded_to_the_precision_of_a_float():
    assert fed([2**24 + 1, 2**53 + 1], pa.int64(), "float32").tolist() == [2.0**24, 2.0**53]
    assert fed([2**53 + 1], pa.int64(), "float64").tolist() == [2.0**53]


def test_nan_is_no_integer():
    assert refused([1.0, math.nan], pa.float64(), "int32") == (1, "nan does not fit int32")
