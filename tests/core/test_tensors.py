import math
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfspark import dtypes
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.errors import EngineError
from tfspark.feeding import InputBinding
from tfspark.fetching import OutputBinding
from tfspark.origin import row_in_words
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import (
    ByteStrings,
    Group,
    RowProblem,
    decode,
    encode,
    pad_rows,
    slice_rows,
)
from tfspark.tensors.constant import constant_tensor
from tfspark.tensors.narrow import misfits

FLOATS = pa.list_(pa.float32())


def bound(shape=(None, None), dtype="float32", columns=("x",)):
    return InputBinding(TensorSpec("x", dtype, shape), tuple(columns), narrow=True)


def fed(array, shape=(None, None), dtype="float32"):
    """Encode one column and return its only group."""
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    (group,) = encode([bound(shape, dtype)], {"x": chunks})
    return group


def problem(array, shape=(None, None), dtype="float32"):
    with pytest.raises(RowProblem) as caught:
        encode([bound(shape, dtype)], {"x": [array]})
    return caught.value.row, caught.value.first.message


def out(tensor, dtype, arrow):
    shape = (None, *tensor.shape[1:])
    return decode(tensor, OutputBinding(TensorSpec("y", dtype, shape), "y", arrow))


# --- Arrow → tensors → Arrow ----------------------------------------------------------------------

VALUES = {
    "float32": st.floats(width=32),
    "float64": st.floats(),
    "float16": st.floats(width=16),
    # Every half of few digits is also a bfloat16.
    "bfloat16": st.integers(-256, 256).map(float) | st.sampled_from([math.inf, math.nan, 0.5]),
    "bool": st.booleans(),
    "string": st.text(max_size=5),
    **{
        name: st.integers(int(np.iinfo(name).min), int(np.iinfo(name).max))
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
}


def test_every_type_of_the_table_makes_the_round_trip():
    assert set(VALUES) == {row.name for row in dtypes.TABLE}


@st.composite
def nested_rows(draw, values, depth):
    """A row: mostly of the wanted depth without nulls or ragged lists, but not always."""
    if draw(st.integers(0, 12)) == 0:
        return None
    if depth == 0:
        return draw(values)
    inner = nested_rows(values, depth - 1)
    return draw(st.lists(inner, max_size=3))


@st.composite
def full_rows(draw, values, depth):
    sizes = draw(st.lists(st.integers(0, 3), min_size=depth, max_size=depth))

    def fill(level):
        if level == depth:
            return draw(values)
        return [fill(level + 1) for _ in range(sizes[level])]

    return fill(0)


@st.composite
def arrays(draw, rows, arrow):
    """The rows in forms that Arrow allows: sliced, in several chunks, values under nulls."""
    junk = draw(st.integers(0, 2))
    array = pa.array([*rows[:junk], *rows, *rows[:junk]], arrow)
    if draw(st.booleans()) and pa.types.is_list(arrow) and array.null_count and len(array):
        filled = [row if row is not None else rows[-1] or [] for row in array.to_pylist()]
        values = pa.array(filled, arrow)
        array = pa.ListArray.from_arrays(values.offsets, values.values, mask=array.is_null())
    array = array.slice(len(array) - len(rows) - junk, len(rows))
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    bounds = list(zip([0, *cuts], [*cuts, len(rows)], strict=True))
    return [array.slice(start, stop - start) for start, stop in bounds]


def has_null(row):
    return row is None or (isinstance(row, list) and any(map(has_null, row)))


def shape_of(row):
    """The shape of a row, or `None` when it is ragged."""
    if not isinstance(row, list):
        return ()
    inner = {shape_of(one) for one in row}
    if len(inner) > 1 or None in inner:
        return None
    return (len(row), *(inner.pop() if inner else ()))


def same(left, right):
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return left == right


@settings(max_examples=400)
@given(st.data(), st.sampled_from(sorted(VALUES)), st.integers(0, 3), st.booleans())
def test_arrow_to_tensors_to_arrow_is_identity_or_refused(data, dtype, depth, large):
    one_row = full_rows(VALUES[dtype], depth) | nested_rows(VALUES[dtype], depth)
    rows = data.draw(st.lists(one_row, min_size=1, max_size=6))
    arrow = dtypes.by_name(dtype).arrow
    for _ in range(depth):
        arrow = pa.large_list(arrow) if large else pa.list_(arrow)
    chunks = data.draw(arrays(rows, arrow))
    whole = [row for row, value in enumerate(rows) if not has_null(value)]
    ragged = [row for row in whole if shape_of(rows[row]) is None]
    one = bound((None,) * (depth + 1), dtype)
    if ragged:
        with pytest.raises(RowProblem, match="different lengths") as caught:
            encode([one], {"x": chunks})
        assert caught.value.row in ragged
        return
    groups = encode([one], {"x": chunks})
    assert sorted(row for group in groups for row in group.rows) == whole
    for group in groups:
        tensor = group.inputs["x"]
        assert tensor.shape[0] == len(group.rows) > 0
        back = out(tensor, dtype, dtypes.nested(dtypes.by_name(dtype).arrow, depth))
        back.validate(full=True)
        assert same(back.to_pylist(), [rows[row] for row in group.rows])
        assert list(group.rows) == sorted(group.rows)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=5), min_size=1, max_size=6), st.booleans())
def test_bytes_pass_as_they_are(values, large):
    array = pa.array([b"junk", *values], pa.large_binary() if large else pa.binary()).slice(1)
    tensor = fed(array, (None,), "string").inputs["x"]
    assert tensor.to_objects().tolist() == values
    assert out(tensor, "string", pa.binary()).to_pylist() == values
    again = ByteStrings.from_objects(tensor.to_objects())
    assert again.values.to_pylist() == values
    assert again.shape == tensor.shape


# --- without a copy -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], FLOATS),
        pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], FLOATS).slice(1),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list(pa.float32())),
        pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        pa.array([[[1.0], [2.0]], [[3.0], [4.0]]], pa.list_(FLOATS)),
    ],
    ids=["list", "slice", "large", "fixed", "nested"],
)
def test_one_chunk_without_nulls_is_fed_without_a_copy(array):
    shape = (None,) * (dtypes.element_of(array.type)[1] + 1)
    tensor = fed(array, shape).inputs["x"]
    elements = array.values
    while dtypes.is_list(elements.type):
        elements = elements.values
    assert np.shares_memory(tensor, elements.to_numpy())
    assert not tensor.flags.writeable
    assert tensor.tolist() == array.to_pylist()


@pytest.mark.parametrize("start", [0, 1, 7, 8, 9, 17])
def test_flags_are_unpacked_from_where_a_slice_begins(start):
    flags = [index % 3 == 0 for index in range(20)]
    array = pa.array(flags).slice(start, 3)
    assert fed(array, (None,), "bool").inputs["x"].tolist() == flags[start : start + 3]
    holed = pa.array([None, *flags]).slice(start, 4)
    (group,) = encode([bound((None,), "bool")], {"x": [holed]})
    assert group.inputs["x"].tolist() == [flag for flag in holed.to_pylist() if flag is not None]


def test_fed_memory_outlives_the_column():
    tensor = fed(pa.array([[1.0, 2.0]] * 1000, FLOATS)).inputs["x"]
    pa.array([[7.0, 7.0]] * 1000, FLOATS)
    assert tensor.sum() == 3000


def test_several_chunks_are_joined_in_order():
    array = pa.chunked_array([[[1.0, 2.0]], [], [[3.0, 4.0], [5.0, 6.0]]], FLOATS)
    assert fed(array).inputs["x"].tolist() == array.to_pylist()


def test_chunks_beyond_the_offsets_of_arrow_are_refused():
    untouched = pa.py_buffer(np.zeros(2**30, np.uint8))  # allocated on first use
    offsets = pa.py_buffer(np.array([0, 2**30], np.int32))
    huge = pa.Array.from_buffers(pa.binary(), 1, [None, offsets, untouched])
    with pytest.raises(EngineError, match="too large in column 'x'") as caught:
        encode([bound((None,), "string")], {"x": [huge, huge]})
    assert "Hint: give a smaller batch_size (--batch-size)." in str(caught.value)


def test_strings_stay_in_arrow_memory():
    array = pa.array(["a", "", "größe"])
    values = fed(array, (None,), "string").inputs["x"].values
    assert values.buffers()[2].address == array.buffers()[2].address


def test_numbers_come_back_without_a_copy():
    tensor = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert np.shares_memory(out(tensor, "float32", FLOATS).values.to_numpy(), tensor)


def test_a_large_row_passes():
    array = pa.FixedSizeListArray.from_arrays(np.arange(2_000_000, dtype=np.float32), 1_000_000)
    group = fed(array, (None, 1_000_000))
    assert group.inputs["x"].shape == (2, 1_000_000)
    assert out(group.inputs["x"], "float32", FLOATS).value_lengths().to_pylist() == [10**6] * 2


# --- rows that do not fit -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "shape", "row", "words"),
    [
        ([[1, 2], [3], [4]], (None, 2), 1, "expected a row of shape (2,), found (1,)"),
        ([[1, 2], None, [3, None], []], (None, 2), 3, "expected a row of shape (2,), found (0,)"),
        ([[1, 2, 3, 4], [1]], (None, 2, 2), 1, "expected a row of shape (2, 2), found (1,)"),
        ([[], [1]], (None, 0), 1, "expected a row of shape (0,), found (1,)"),
        ([[1], [], [1, 2]], (None, 1), 1, "expected a row of shape (1,), found (0,)"),
    ],
)
def test_the_first_row_of_a_wrong_length_is_named(rows, shape, row, words):
    assert problem(pa.array(rows, FLOATS), shape) == (row, words)


@pytest.mark.parametrize(
    ("rows", "shape", "row", "words"),
    [
        (
            [[[1], [2]], [[1], [2, 3]]],
            (None, 2, None),
            1,
            "inner lists have different lengths: 1, 2",
        ),
        ([[[1, 2]], [[3]]], (None, 1, 2), 1, "expected a row of shape (1, 2), found (1, 1)"),
        ([[[1, 2]], []], (None, 1, 2), 1, "expected a row of shape (1, 2), found (0, 0)"),
        ([[[1]], [[], [1]]], (None, None, None), 1, "inner lists have different lengths: 0, 1"),
        ([[[1]], [[1], []]], None, 1, "inner lists have different lengths: 0, 1"),
    ],
)
def test_the_first_row_that_is_wrong_inside_is_named(rows, shape, row, words):
    found, text = problem(pa.array(rows, pa.list_(FLOATS)), shape)
    assert found == row
    assert words in text


def test_a_row_is_named_by_its_place_among_all_rows():
    rows = [None, [1e300, 0.0], [1.0], [2.0], [None], [1e300]]
    assert problem(pa.array(rows, pa.list_(pa.float64())))[0] in (1, 5)
    rows[1] = [1.0, 0.0]
    assert problem(pa.array(rows, pa.list_(pa.float64()))) == (5, "1e+300 does not fit float32")


MAX64 = 2**63 - 1


@pytest.mark.parametrize(
    ("value", "arrow", "dtype"),
    [
        (1e39, pa.float64(), "float32"),
        (-1e39, pa.float64(), "float32"),
        (70000.0, pa.float32(), "float16"),
        (70000, pa.int64(), "float16"),
        (2**31, pa.int64(), "int32"),
        (-(2**31) - 1, pa.int64(), "int32"),
        (MAX64, pa.int64(), "int32"),
        (-1, pa.int8(), "uint8"),
        (256, pa.int16(), "uint8"),
        (-1, pa.int64(), "uint32"),
        (MAX64 + 1, pa.uint64(), "int64"),
        (2.0**31, pa.float32(), "int32"),
        (2.0**63, pa.float64(), "int64"),
        (2.0**63, pa.float32(), "int64"),
        (-(2.0**63) * 1.01, pa.float64(), "int64"),
        (256.0, pa.float64(), "uint8"),
        (-1.0, pa.float64(), "uint8"),
        (0.5, pa.float64(), "int32"),
        (math.nan, pa.float64(), "int32"),
        (math.inf, pa.float64(), "int64"),
        (-math.inf, pa.float32(), "int8"),
        (-math.inf, pa.float16(), "int32"),
    ],
)
def test_a_value_out_of_range_is_a_bad_row(value, arrow, dtype):
    array = pa.array([0, None, value, value], arrow)
    row, words = problem(array, (None,), dtype)
    assert row == 2
    assert words == f"{array[2].as_py()!r} does not fit {dtype}"


@pytest.mark.parametrize(
    ("value", "arrow", "dtype"),
    [
        (math.inf, pa.float64(), "float32"),
        (math.nan, pa.float64(), "float16"),
        (0.1, pa.float64(), "float32"),
        (1e-300, pa.float64(), "float32"),
        (2**53 + 1, pa.int64(), "float64"),
        (2**31 - 1, pa.int64(), "int32"),
        (-(2**31), pa.int64(), "int32"),
        (2.0**31 - 1, pa.float64(), "int32"),
        (-(2.0**63), pa.float64(), "int64"),
        (-(2.0**31), pa.float32(), "int32"),
        (255, pa.int16(), "uint8"),
        (2**32 - 1, pa.int64(), "uint32"),
        (-0.0, pa.float64(), "int8"),
    ],
)
def test_a_value_in_range_is_rounded_at_most(value, arrow, dtype):
    tensor = fed(pa.array([value], arrow), (None,), dtype).inputs["x"]
    assert tensor.dtype == dtype
    with np.errstate(under="ignore"):
        np.testing.assert_array_equal(tensor, np.array([value]).astype(dtype))


def test_the_row_of_a_bad_value_inside_a_list():
    array = pa.array([[1.0, 2.0], [3.0, 4.0], [5.0, 1e99]])
    assert problem(array, (None, 2)) == (2, "1e+99 does not fit float32")


def test_a_processor_that_saturates_hides_no_overflow():
    saturated = np.array([2**63 - 1, -(2**63), 0])
    assert misfits(np.array([2.0**63, -math.inf, math.nan]), saturated).all()


@given(
    st.lists(st.integers(-(2**63), MAX64) | st.sampled_from([2**53, 2**53 + 1]), min_size=1),
    st.sampled_from(["int8", "int16", "int32", "uint8", "uint16", "uint32"]),
)
def test_a_narrowed_integer_is_itself_or_refused(values, dtype):
    info = np.iinfo(dtype)
    bad = [row for row, value in enumerate(values) if not info.min <= value <= info.max]
    if bad:
        assert problem(pa.array(values, pa.int64()), (None,), dtype)[0] == bad[0]
    else:
        assert fed(pa.array(values, pa.int64()), (None,), dtype).inputs["x"].tolist() == values


@given(st.lists(st.floats(), min_size=1), st.sampled_from(["int32", "int64", "uint8"]))
def test_a_float_made_integer_is_itself_or_refused(values, dtype):
    info = np.iinfo(dtype)
    fits = [
        math.isfinite(value) and value == int(value) and info.min <= int(value) <= info.max
        for value in values
    ]
    if all(fits):
        assert fed(pa.array(values), (None,), dtype).inputs["x"].tolist() == values
    else:
        assert problem(pa.array(values), (None,), dtype)[0] == fits.index(False)


# --- nulls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "arrow", "kept"),
    [
        ([1.0, None, 2.0], pa.float32(), [0, 2]),
        ([None, None], pa.float32(), []),
        ([[1.0], None, [None], [2.0]], FLOATS, [0, 3]),
        ([[[1.0]], [None], [[None]], None, [[2.0]]], pa.list_(FLOATS), [0, 4]),
        ([[None], [None, 1.0]], FLOATS, []),
    ],
)
def test_a_null_at_any_depth_keeps_the_row_from_the_model(rows, arrow, kept):
    shape = (None,) * (dtypes.element_of(arrow)[1] + 1)
    groups = encode([bound(shape)], {"x": [pa.array(rows, arrow)]})
    assert [row for group in groups for row in group.rows] == kept


def test_a_null_in_one_input_keeps_the_row_from_all():
    inputs = [InputBinding(TensorSpec(name, "float32", (None,)), (name,)) for name in "ab"]
    columns = {"a": [pa.array([1.0, None, 3.0, 4.0], pa.float32())]}
    columns["b"] = [pa.array([1.0, 2.0, None, 4.0], pa.float32())]
    (group,) = encode(inputs, columns)
    assert group.rows.tolist() == [0, 3]
    assert group.inputs["b"].tolist() == [1.0, 4.0]


def test_chunks_of_mixed_nullability():
    clean, holed = pa.array([[1.0]], FLOATS), pa.array([None, [2.0], [None]], FLOATS)
    (group,) = encode([bound()], {"x": [clean, holed, clean, holed]})
    assert group.rows.tolist() == [0, 2, 4, 6]
    assert group.inputs["x"].tolist() == [[1.0], [2.0], [1.0], [2.0]]


@pytest.mark.parametrize("start", [0, 1, 2])
def test_elements_behind_a_null_list_are_never_fed(start):
    offsets, values = pa.array([1, 3, 5, 7], pa.int32()), pa.array([9, 1, 2, 8, None, 3, 4.0])
    array = pa.ListArray.from_arrays(
        offsets, values.cast(pa.float32()), mask=pa.array([False, True, False])
    ).slice(start)
    group = fed(array, (None, 2))
    expected = [[1.0, 2.0], [], [3.0, 4.0]][start:]
    assert group.inputs["x"].tolist() == [row for row in expected if row]


def test_a_null_of_a_fixed_size_list_is_not_fed():
    array = pa.array([[1.0, 2.0], None, [3.0, 4.0], [None, 1.0]], pa.list_(pa.float32(), 2))
    group = fed(array.slice(1), (None, 2))
    assert group.rows.tolist() == [1]
    assert group.inputs["x"].tolist() == [[3.0, 4.0]]


def test_nan_is_fed():
    tensor = fed(pa.array([1.0, math.nan], pa.float32()), (None,)).inputs["x"]
    np.testing.assert_array_equal(tensor, [1.0, math.nan])


# --- shapes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "arrow", "shape", "tensor_shape"),
    [
        ([1, 2, 3], pa.float32(), (None,), (3,)),
        ([1, 2, 3], pa.float32(), (None, 1), (3, 1)),
        ([1, 2, 3], pa.float32(), None, (3,)),
        ([[1], [2]], FLOATS, (None, 1), (2, 1)),
        ([[1, 2, 3, 4, 5, 6]], FLOATS, (None, 2, 3), (1, 2, 3)),
        ([[1, 2]], FLOATS, None, (1, 2)),
        ([[[1, 2]]], pa.list_(FLOATS), None, (1, 1, 2)),
        ([[], []], FLOATS, (None, 0), (2, 0)),
        ([[], []], FLOATS, (None, None), (2, 0)),
        ([[], []], pa.list_(FLOATS), (None, None, 3), (2, 0, 3)),
        ([[], []], pa.list_(FLOATS), (None, 0, 3), (2, 0, 3)),
        ([[[], []]], pa.list_(FLOATS), (None, None, None), (1, 2, 0)),
    ],
)
def test_the_shape_of_the_tensor(rows, arrow, shape, tensor_shape):
    assert fed(pa.array(rows, arrow), shape).inputs["x"].shape == tensor_shape


def test_rows_are_grouped_by_shape_in_order():
    rows = [[1.0], [2.0, 2.0], [3.0], [], [4.0, 4.0], []]
    groups = encode([bound()], {"x": [pa.array(rows, FLOATS)]})
    assert {tuple(group.rows): group.inputs["x"].shape for group in groups} == {
        (3, 5): (2, 0),
        (0, 2): (2, 1),
        (1, 4): (2, 2),
    }


def test_groups_have_equal_shapes_in_every_input():
    inputs = [InputBinding(TensorSpec(name, "string", (None, None)), (name,)) for name in "ab"]
    columns = {
        "a": [pa.array([["p"], ["q"], ["r", "s"]])],
        "b": [pa.array([["t"], ["u", "v"], ["w"]])],
    }
    groups = encode(inputs, columns)
    assert sorted(group.rows.tolist() for group in groups) == [[0], [1], [2]]
    assert groups[0].inputs["b"].to_objects().tolist() == [[b"t"]]


# --- stacked columns ------------------------------------------------------------------------------


def test_scalar_columns_are_stacked_in_order_and_type():
    one = bound((None, 3), "float32", ("a", "b", "c"))
    chunks = {
        "a": [pa.array([1.0, 2.0], pa.float32())],
        "b": [pa.array([3, 4], pa.int16())],
        "c": [pa.array([5.0, 1e-3], pa.float64())],
    }
    (group,) = encode([one], chunks)
    assert group.inputs["x"].dtype == np.float32
    np.testing.assert_allclose(group.inputs["x"], [[1, 3, 5], [2, 4, 1e-3]])


def test_a_bad_value_of_a_stack_names_its_column():
    one = bound((None, 2), "int32", ("a", "b"))
    chunks = {"a": [pa.array([1, 2, 3])], "b": [pa.array([1, None, 2**40])]}
    with pytest.raises(RowProblem) as caught:
        encode([one], chunks)
    assert (caught.value.first.column, caught.value.row) == ("b", 2)


@pytest.mark.parametrize("kinds", [("string", "string"), ("binary", "large_string")])
def test_strings_are_stacked_row_by_row(kinds):
    first, second = (getattr(pa, kind)() for kind in kinds)
    chunks = {"a": [pa.array([b"p", b"q"], first)], "b": [pa.array([b"r", b"s"], second)]}
    (group,) = encode([bound((None, 2), "string", ("a", "b"))], chunks)
    assert group.inputs["x"].to_objects().tolist() == [[b"p", b"r"], [b"q", b"s"]]


def test_a_single_stacked_column_is_a_vector_of_one():
    assert fed(pa.array([1.0, 2.0], pa.float32()), (None, None)).inputs["x"].shape == (2, 1)


# --- rows of tensors ------------------------------------------------------------------------------


def strings(rows, width=2):
    flat = [f"{row}.{column}".encode() for row in range(rows) for column in range(width)]
    return ByteStrings(pa.array([b"junk", *flat]).slice(1), (rows, width))


@pytest.mark.parametrize(
    "tensor", [np.arange(6).reshape(3, 2), strings(3)], ids=["numbers", "strings"]
)
def test_rows_are_sliced_and_padded_with_the_last(tensor):
    def rows(one):
        return (one.to_objects() if isinstance(one, ByteStrings) else one).tolist()

    whole = rows(tensor)
    assert rows(slice_rows(tensor, 1, 3)) == whole[1:]
    padded = pad_rows(slice_rows(tensor, 0, 2), 4)
    assert padded.shape == (4, 2)
    assert rows(padded) == [whole[0], whole[1], whole[1], whole[1]]


def test_a_group_is_sliced_without_a_copy():
    group = Group(np.array([4, 7, 9]), {"x": np.arange(6).reshape(3, 2), "s": strings(3)})
    part = group.slice(1, 3)
    assert part.rows.tolist() == [7, 9]
    assert np.shares_memory(part.inputs["x"], group.inputs["x"])
    assert part.inputs["s"].to_objects().tolist() == [[b"1.0", b"1.1"], [b"2.0", b"2.1"]]


# --- outputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensor", "arrow", "expected"),
    [
        (np.array([True, False]), pa.bool_(), [True, False]),
        (np.array([0, 255], np.uint8), pa.int16(), [0, 255]),
        (np.array([2**16 - 1], np.uint16), pa.int32(), [2**16 - 1]),
        (np.array([2**32 - 1], np.uint32), pa.int64(), [2**32 - 1]),
        (np.array([0, 2**64 - 1], np.uint64), pa.decimal128(20, 0), [0, 2**64 - 1]),
        (np.array([[2**63, 1]], np.uint64), pa.list_(pa.decimal128(20, 0)), [[2**63, 1]]),
        (np.zeros((0, 2), np.uint64), pa.list_(pa.decimal128(20, 0)), []),
        (np.array([0.5, 65504], np.float16), pa.float32(), [0.5, 65504]),
        (np.array([[1.0], [2.0]], np.float32), pa.float32(), [1.0, 2.0]),
        (np.array([[True], [False]]), pa.list_(pa.bool_()), [[True], [False]]),
        (np.zeros((2, 0), np.float32), FLOATS, [[], []]),
        (np.zeros((2, 0, 3), np.float32), pa.list_(FLOATS), [[], []]),
        (np.zeros((1, 2, 0), np.float32), pa.list_(FLOATS), [[[], []]]),
        (
            np.arange(6, dtype=np.int64).reshape(3, 2)[::-1],
            pa.list_(pa.int64()),
            [[4, 5], [2, 3], [0, 1]],
        ),
        (np.asfortranarray([[1, 2], [3, 4]]), pa.list_(pa.int64()), [[1, 2], [3, 4]]),
    ],
)
def test_an_output_becomes_a_column(tensor, arrow, expected):
    column = out(tensor, tensor.dtype.name, arrow)
    assert column.type == arrow
    assert column.to_pylist() == expected
    column.validate(full=True)


def test_nan_comes_out_as_nan_not_null():
    column = out(np.array([math.nan, 1.0]), "float64", pa.float64())
    assert column.null_count == 0
    assert math.isnan(column[0].as_py())


def test_empty_strings_in_an_empty_dimension():
    tensor = ByteStrings(pa.array([], pa.binary()), (2, 0))
    assert out(tensor, "string", pa.list_(pa.string())).to_pylist() == [[], []]


def test_bytes_that_are_no_text_name_their_row():
    tensor = ByteStrings(pa.array([b"a", "größe".encode(), b"c", b"\xff\xfe"]), (2, 2))
    with pytest.raises(RowProblem, match="are not UTF-8") as caught:
        out(tensor, "string", pa.list_(pa.string()))
    assert (caught.value.row, caught.value.first.column) == (1, "y")
    assert out(tensor, "string", pa.list_(pa.binary()))[1].as_py() == [b"c", b"\xff\xfe"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.integers(0, 3))
def test_an_output_of_any_shape_keeps_its_values(sizes, rows):
    tensor = np.arange(rows * math.prod(sizes), dtype=np.int32).reshape(rows, *sizes)
    column = out(tensor, "int32", dtypes.nested(pa.int32(), len(sizes)))
    assert column.to_pylist() == tensor.tolist()
    assert list(accumulate([0, *column.value_lengths().to_pylist()])) == column.offsets.to_pylist()


def test_an_empty_array_may_have_no_offsets():
    """Arrow's Java library before version 19 writes none for the inner array of empty arrays."""
    nothing = pa.py_buffer(b"")
    numbers = pa.Array.from_buffers(pa.float32(), 0, [None, nothing])
    inner = pa.Array.from_buffers(FLOATS, 0, [None, nothing], children=[numbers])
    offsets = pa.py_buffer(np.zeros(3, np.int32))
    outer = pa.Array.from_buffers(pa.list_(FLOATS), 2, [None, offsets], children=[inner])
    assert fed(outer, (None, None, 2)).inputs["x"].shape == (2, 0, 2)


@pytest.mark.parametrize(("feed", "shape"), [("a", (2,)), (["a"], (2, 1)), (["a", "b"], (2, 2))])
def test_a_list_of_columns_is_a_vector_also_of_unknown_rank(feed, shape):
    spec = TensorSpec("x", "float32", None)
    signature = Signature("serve", (spec,), (TensorSpec("y", "float32", (None,)),))
    batch = pa.record_batch({name: pa.array([1.0, 2.0], pa.float32()) for name in "ab"})
    inputs = bind(signature, columns_of(batch.schema), feed={"x": feed}).inputs
    (group,) = encode(inputs, {name: [batch[name]] for name in "ab"})
    assert group.inputs["x"].shape == shape


def test_a_constant_of_one_number_feeds_a_scalar_input():
    for value in (0.5, [0.5]):
        tensor = constant_tensor(Constant(value), TensorSpec("k", "float32", ()), 3)
        assert (tensor.shape, tensor.item()) == ((), 0.5)


def test_a_row_that_cannot_be_shown_is_still_named():
    text = pa.array([b"\xff"], pa.binary()).view(pa.string())
    date = pa.array([2**31 - 1], pa.int32()).view(pa.date32())
    time = pa.array([0], pa.timestamp("us", "Nowhere/Unknown"))
    rows = pa.RecordBatch.from_arrays([text, date, time], names=["text", "date", "time"])
    assert row_in_words(rows, 0, None) == " (row {'text': ?, 'date': ?, 'time': ?})"
