"""Columns that Arrow stacks in one call, compared with columns that are read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark.constants import Constant
from tfspark.feeding import InputBinding
from tfspark.signature import TensorSpec
from tfspark.tensors import ColumnStack, column_stack, encode

NAMES = ("c", "a", "b")
KINDS = ("int8", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64")


def bound(
    dtype: str, shape: tuple[int | None, ...] | None = (None, 3), **more: Any
) -> InputBinding:
    spec = TensorSpec("x", dtype, shape)
    return InputBinding(spec, more.pop("columns", NAMES), narrow=True, **more)


def batch(values: Sequence[Any], kind: pa.DataType) -> pa.RecordBatch:
    """Columns in another order than in the input, besides one that feeds nothing."""
    columns = [pa.array(values[at::3], kind) for at in range(3)]
    key = pa.array(range(len(columns[0])))
    return pa.RecordBatch.from_arrays([*columns, key], names=["a", "b", "c", "key"])


def stacked(window: Sequence[pa.RecordBatch], *inputs: InputBinding) -> Any:
    return ColumnStack(inputs, window[0].schema).group(window)


def one_by_one(window: Sequence[pa.RecordBatch], *inputs: InputBinding) -> Any:
    chunks = {name: [one.column(name) for one in window] for name in NAMES}
    (group,) = encode(inputs, chunks)
    return group


def assert_same(found: Any, expected: Any) -> None:
    assert found.rows.tolist() == expected.rows.tolist()
    (name,) = expected.inputs
    tensor, wanted = found.inputs[name], expected.inputs[name]
    assert (tensor.dtype, tensor.shape) == (wanted.dtype, wanted.shape)
    assert tensor.tobytes() == wanted.tobytes()
    assert tensor.__array_interface__["data"][0] % 64 == 0


@pytest.mark.parametrize("cut", [0, 1, 2])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_that_fit_are_stacked(kind: str, dtype: str, cut: int) -> None:
    rows = batch(list(range(12)), pa.from_numpy_dtype(np.dtype(kind)))
    window = [part for part in (rows.slice(0, cut), rows.slice(cut)) if part.num_rows]
    assert_same(stacked(window, bound(dtype)), one_by_one(window, bound(dtype)))


@given(
    st.sampled_from(["int64", "float64"]),
    st.sampled_from(KINDS),
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300), min_size=3, max_size=12),
)
def test_rounded_numbers_are_those_of_the_slow_path(
    kind: str, dtype: str, numbers: list[int]
) -> None:
    values = [float(one) if kind == "float64" else one for one in numbers]
    rows = batch(values[: len(values) // 3 * 3], pa.from_numpy_dtype(np.dtype(kind)))
    found = stacked([rows], bound(dtype))
    if found is not None:
        assert_same(found, one_by_one([rows], bound(dtype)))


def test_special_floats_keep_their_bits() -> None:
    rows = batch([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3e38], pa.float32())
    assert_same(stacked([rows], bound("float32")), one_by_one([rows], bound("float32")))


def test_a_column_may_feed_twice() -> None:
    rows, twice = batch([1.0, 2.0, 3.0], pa.float32()), bound("float32", columns=("a", "c", "a"))
    assert_same(stacked([rows], twice), one_by_one([rows], twice))


def test_a_large_window_is_left_to_the_slow_path() -> None:
    """Arrow would reserve eight times its bytes."""
    numbers = pa.array(np.zeros(3 << 20, np.float32))
    rows = pa.RecordBatch.from_arrays([numbers] * 3, names=list("abc"))
    assert stacked([rows], bound("float32")) is None


def test_an_old_arrow_leaves_all_rows_to_the_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_stack, "_HAS_ROWS", False)
    assert stacked([FLOATS], bound("float32")) is None


def test_a_null_outside_the_window_does_not_matter() -> None:
    rows = batch([None, 1.0, 2.0, 3.0, 4.0, 5.0], pa.float32()).slice(1)
    assert_same(stacked([rows], bound("float32")), one_by_one([rows], bound("float32")))


@pytest.mark.parametrize("shape", [(None, 3), (None, None), (None, 3, 1), (2, 3), None])
def test_the_shape_is_that_of_the_signature(shape: tuple[int | None, ...] | None) -> None:
    rows = batch([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], pa.float64())
    one = bound("float32", shape)
    assert_same(stacked([rows], one), one_by_one([rows], one))


FLOATS = batch([1.0, 2.0, 3.0], pa.float32())


@pytest.mark.parametrize(
    ("rows", "inputs"),
    [
        pytest.param(batch([1.0, None, 3.0], pa.float32()), [bound("float32")], id="null"),
        pytest.param(batch([1.0, 1e300, 3.0], pa.float64()), [bound("float32")], id="overflow"),
        pytest.param(batch([1.0, 1.5, 3.0], pa.float64()), [bound("int32")], id="fraction"),
        pytest.param(batch([1, 300, 3], pa.int64()), [bound("int8")], id="out of range"),
        pytest.param(batch([1, 2, 3], pa.decimal128(3, 1)), [bound("float32")], id="decimals"),
        pytest.param(batch([True, False, True], pa.bool_()), [bound("bool")], id="booleans"),
        pytest.param(batch(["a", "b", "c"], pa.string()), [bound("string")], id="strings"),
        pytest.param(FLOATS, [bound("bfloat16")], id="bfloat16"),
        pytest.param(FLOATS, [bound("float32", columns=("a",))], id="one column"),
        pytest.param(FLOATS, [bound("float32"), bound("float32")], id="two inputs"),
        pytest.param(
            FLOATS, [bound("float32", columns=(), constant=Constant([1.0]))], id="constant"
        ),
        pytest.param(FLOATS, [bound("float32", columns=("a", "key"))], id="two types"),
    ],
)
def test_other_rows_are_left_to_the_slow_path(
    rows: pa.RecordBatch, inputs: list[InputBinding]
) -> None:
    assert stacked([rows], *inputs) is None


def test_a_window_with_another_schema_is_left_to_the_slow_path() -> None:
    doubles = batch([1.0, 2.0, 3.0], pa.float64())
    stack = ColumnStack([bound("float32")], FLOATS.schema)
    assert stack.group([FLOATS]) is not None
    assert stack.group([doubles]) is None
    assert stack.group([FLOATS, doubles]) is None
