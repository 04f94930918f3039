"""bfloat16 as float32, compared with TensorFlow's own NumPy type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.thirdparty.rounding import fed
from tfspark.bfloat16 import from_bits, nearest, to_bits

ml_dtypes = pytest.importorskip("ml_dtypes")
EVERY = np.arange(2**16, dtype=np.uint16)


def test_every_value_is_kept():
    expected = EVERY.view(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(from_bits(EVERY).view(np.uint32), expected.view(np.uint32))
    is_number = ~np.isnan(expected)
    assert (to_bits(expected)[is_number] == EVERY[is_number]).all()
    assert np.isnan(from_bits(to_bits(expected))[~is_number]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_the_shape_is_kept(shape, dtype):
    found = nearest(np.ones(shape, dtype))
    assert (found.shape, found.dtype) == (shape, np.float32)
    bits = to_bits(found)
    assert (bits.shape, bits.dtype) == (shape, np.uint16)
    assert isinstance(from_bits(bits), np.ndarray)


@given(st.floats(width=32))
def test_a_float_is_rounded_as_tensorflow_does(value):
    values = np.array([value], np.float32)
    expected = values.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(nearest(values), expected)


@given(st.floats(-3e38, 3e38) | st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_rounded_once(value):
    assert nearest(np.array([value])).item() == fed(value, "bfloat16")


# Halfway between 1 and the next value, and slightly more: float32 loses what is more.
@pytest.mark.parametrize(("value", "expected"), [(1 + 2**-8, 1.0), (1 + 2**-8 + 2**-40, 1.0078125)])
def test_ties_go_to_even(value, expected):
    assert nearest(np.array([value, -value])).tolist() == [expected, -expected]


@pytest.mark.parametrize("value", [3.4e38, 1e300, -1e300, np.inf])
def test_beyond_the_largest_is_infinite(value):
    assert np.isinf(nearest(np.array([value]))).all()
