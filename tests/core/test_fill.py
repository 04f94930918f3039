from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark.rows import is_fitting
from tfspark.tensors.fill import filled

NUMBERS = st.one_of(st.none(), st.integers(-5, 5))


@given(st.lists(NUMBERS), st.integers(0, 3))
def test_scalars_are_filled(values, start):
    array = pa.array([7] * start + values, pa.int64()).slice(start)
    expected = [0 if value is None else value for value in values]
    assert filled(array, 0).to_pylist() == expected


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_elements_are_filled_and_lists_stay(kind):
    rows = [[1, None], None, [], [None], [2, 3]]
    array = pa.array(rows, kind(pa.int64()))
    for start in range(5):
        expected = [None if row is None else [9 if x is None else x for x in row] for row in rows]
        assert filled(array.slice(start), 9).to_pylist() == expected[start:]


def test_fixed_and_nested_lists_are_filled():
    fixed = pa.array([[1.0, None], None, [None, 4.0]], pa.list_(pa.float32(), 2))
    assert filled(fixed, -1.0).to_pylist() == [[1.0, -1.0], None, [-1.0, 4.0]]
    nested = pa.array([[["a", None], None], [[None]]], pa.list_(pa.list_(pa.string())))
    assert filled(nested, "").to_pylist() == [[["a", ""], None], [[""]]]


def test_what_holds_no_null_is_not_copied():
    array = pa.array([[1.0], [2.0]], pa.list_(pa.float32()))
    assert filled(array, 0.0) is array


def test_nan_is_a_fill_and_not_a_null():
    array = filled(pa.array([1.0, None, np.nan], from_pandas=False), np.nan)
    assert array.null_count == 0
    assert np.isnan(array.to_numpy()[1:]).all()


@pytest.mark.parametrize("fill", [0, 7, 0.5, "1.5", True])
def test_a_decimal_is_filled_with_numbers(fill):
    array = pa.array([Decimal("1.5"), None], pa.decimal128(2, 1))
    assert float(filled(array, fill).to_pylist()[1]) == float(fill)
    assert is_fitting(fill, array.type)
    assert not is_fitting(100, array.type)
    assert not is_fitting(0.25, array.type)


@pytest.mark.parametrize("fill", [True, False, 0, 1.0, "true", "0"])
def test_a_boolean_is_filled_with_0_or_1(fill):
    assert is_fitting(fill, pa.bool_())


@pytest.mark.parametrize("fill", [-1, 2, 0.5, np.nan, np.inf, "-1", "0.5", b"1"])
def test_a_number_that_would_become_true_does_not_fill_a_boolean(fill):
    assert not is_fitting(fill, pa.bool_())
    assert not is_fitting(fill, pa.list_(pa.bool_()))


@pytest.mark.parametrize("fill", [1e300, "1e300", -1e39, "1e400", 10**40])
def test_a_number_that_would_become_infinite_does_not_fill_a_float(fill):
    assert not is_fitting(fill, pa.float32())
    assert is_fitting(fill, pa.float64()) is (fill in (1e300, "1e300", -1e39))


@pytest.mark.parametrize("fill", [np.inf, -np.inf, "inf", np.float32(np.inf), np.nan, 3.4e38])
def test_infinity_and_nan_fill_a_float(fill):
    assert is_fitting(fill, pa.float32())
