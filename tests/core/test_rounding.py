"""Numbers near the middle between two floats, given in every type that a user may use."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.thirdparty.rounding import FLOATS, fed
from tfspark.constants import Constant, misfit
from tfspark.dtypes import by_name
from tfspark.feeding import InputBinding
from tfspark.rounding import nearest_one
from tfspark.signature import TensorSpec
from tfspark.tensors import RowProblem
from tfspark.tensors.narrow import numbers

# Halfway between two halves or floats, plus or minus less than a double can represent.
HALVES = ["1.00048828125", "2.0009765625", "-1.00048828125", "65519.9999999999999999", "65519.5"]
FLOATS_32 = ["1.000000059604644775390625", "16777217", "-16777219"]
BITS = ["0", "0.00000000000000000001", "-0.00000000000000000001"]
NEAR = [Decimal(text) + Decimal(bit) for text in HALVES + FLOATS_32 for bit in BITS]


def of_column(values: list[Decimal], dtype: str) -> list[float]:
    bound = InputBinding(TensorSpec("x", dtype, (None,)), ("c",))
    return numbers(pa.array(values, pa.decimal128(38, 30)), bound, "c", 1).tolist()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", NEAR, ids=str)
def test_a_number_near_the_middle_is_rounded_once(value: Decimal, dtype: str) -> None:
    wanted = fed(value, dtype)
    text = Constant(str(value)), Constant(value)
    if wanted is None:
        with pytest.raises(RowProblem):
            of_column([value], dtype)
        assert all(misfit(one, TensorSpec("x", dtype, ())) for one in text)
    else:
        assert of_column([value], dtype) == [wanted]
        assert [one.array(by_name(dtype)).item() for one in text] == [wanted] * 2


@pytest.mark.parametrize("dtype", FLOATS)
@given(st.decimals("-65519", "65519", places=30) | st.decimals("-1e-4", "1e-4", places=30))
def test_any_decimal_is_rounded_once(dtype: str, value: Decimal) -> None:
    assert of_column([value], dtype) == [fed(value, dtype)]


@pytest.mark.parametrize("value", [2**60 + 2**36 + 1, -(2**60) - 2**36 - 1, 2**100 + 2**76 + 1])
def test_a_long_integer_is_rounded_once(value: int) -> None:
    assert float(nearest_one(value, by_name("float32"))) == fed(value, "float32")
    assert Constant(value).array(by_name("float32")).item() == fed(value, "float32")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "-0.0", "1e-400"])
def test_text_of_what_is_no_finite_number_is_read(text: str) -> None:
    found = Constant(text).array(by_name("float16"))
    assert str(found) == str(np.float16(text))


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_constant_beyond_the_range_is_refused(dtype: str) -> None:
    spec = TensorSpec("x", dtype, ())
    for value in ("1e400", "-1e400", 10**400, Decimal("1e400")):
        assert misfit(Constant(value), spec), value
