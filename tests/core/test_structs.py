"""ML vectors, matrices, images and raw bytes, and the arrays that they represent."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark import structs
from tfspark.feeding import InputBinding
from tfspark.signature import TensorSpec
from tfspark.tensors import RowProblem, encode
from tfspark.tensors.structs import _offsets as offsets_of
from tfspark.tensors.structs import as_arrays, as_bytes

DENSE = {"type": 1, "size": None, "indices": None}


def vector(values):
    """A vector as Spark ML writes it: sparse if it has zeros."""
    if 0.0 not in values:
        return DENSE | {"values": values}
    places = [index for index, value in enumerate(values) if value]
    return {
        "type": 0,
        "size": len(values),
        "indices": places,
        "values": [values[index] for index in places],
    }


ROWS = st.lists(st.none() | st.lists(st.integers(0, 3).map(float), max_size=4), min_size=1)


@given(ROWS, st.integers(0, 3))
def test_vectors_are_lists_whether_dense_or_sparse(rows, start):
    array = pa.array([None if row is None else vector(row) for row in rows], structs.VECTOR)
    assert as_arrays(array.slice(start), "v").to_pylist() == rows[start:]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_matrices_are_rows_of_rows(transposed, sparse):
    full = np.array([[1.0, 0.0, 3.0], [0.0, 5.0, 6.0]])
    first = full if transposed else full.T  # rows, or columns, one after the other
    found = {"numRows": 2, "numCols": 3, "isTransposed": transposed}
    if sparse:
        found |= {
            "type": 0,
            "colPtrs": np.cumsum([0, *(first != 0).sum(1)]).tolist(),
            "rowIndices": np.nonzero(first)[1].tolist(),
            "values": first[first != 0].tolist(),
        }
    else:
        found |= {"type": 1, "values": first.ravel().tolist()}
    array = pa.array([found, None], structs.MATRIX)
    assert as_arrays(array, "m").to_pylist() == [full.tolist(), None]


def image(height, width, channels, data):
    return {
        "origin": "",
        "height": height,
        "width": width,
        "nChannels": channels,
        "mode": 0,
        "data": bytes(data),
    }


def test_pixels_change_from_the_order_of_spark_to_that_of_tensorflow():
    rows = [
        image(1, 2, 3, [1, 2, 3, 4, 5, 6]),
        None,
        image(2, 1, 4, range(8)),
        image(1, 1, 1, [9]),
    ]
    expected = [
        [[[3, 2, 1], [6, 5, 4]]],
        None,
        [[[2, 1, 0, 3]], [[6, 5, 4, 7]]],
        [[[9]]],
    ]
    array = pa.array(rows, structs.IMAGE)
    assert as_arrays(array, "i").to_pylist() == expected
    assert as_arrays(array.slice(2), "i").to_pylist() == expected[2:]


@pytest.mark.parametrize(
    "wrong", [image(-1, -1, -1, []), image(1, 1, 3, [1, 2]), image(1, 1, 2, [1, 2])]
)
def test_a_row_that_is_no_image_is_named(wrong):
    array = pa.array([image(1, 1, 1, [0]), wrong], structs.IMAGE)
    with pytest.raises(RowProblem, match="expected an image of 1, 3 or 4 channels") as caught:
        as_arrays(array, "i")
    assert (caught.value.row, caught.value.first.column) == (1, "i")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_bytes_are_lists_of_uint8_without_a_copy(kind):
    array = pa.array([b"ab", None, b"", b"cde"], kind)
    lists = as_bytes(array.slice(1))
    assert lists.to_pylist() == [None, [], [99, 100, 101]]
    assert lists.values.buffers()[1].address == array.buffers()[2].address


def test_an_encoded_image_is_told_from_pixels():
    bound = InputBinding(TensorSpec("x", "uint8", (None, 2, 2)), ("x",))
    column = pa.array([b"\x01\x02\x03\x04", b"\xff\xd8\xff\xe0JFIF"])
    with pytest.raises(RowProblem, match="expected a row of shape") as caught:
        encode([bound], {"x": [column]})
    assert caught.value.row == 1
    assert "decodes them in the graph" in caught.value.first.hint


def test_one_column_feeds_bytes_and_pixels():
    pixels = InputBinding(TensorSpec("p", "uint8", (None, None)), ("x",))
    text = InputBinding(TensorSpec("t", "string", (None,)), ("x",))
    (group,) = encode([pixels, text], {"x": [pa.array([b"ab", b"cd"])]})
    assert group.inputs["p"].tolist() == [[97, 98], [99, 100]]
    assert group.inputs["t"].to_objects().tolist() == [b"ab", b"cd"]


def test_other_structs_are_left_alone():
    array = pa.array([{"type": 1}], pa.struct([("type", pa.int8())]))
    assert as_arrays(array, "s") is array
    assert structs.recognised(pa.list_(structs.VECTOR)) is None


def test_a_struct_is_recognised_whatever_its_elements_are_called():
    indices = pa.list_(pa.field("element", pa.int32(), nullable=False))
    values = pa.list_(pa.field("element", pa.float64(), nullable=False))
    fields = [("type", pa.int8()), ("size", pa.int32()), ("indices", indices), ("values", values)]
    assert structs.recognised(pa.struct(fields)) == structs.VECTOR


def test_the_size_of_sparse_values_counts_their_zeros():
    rows = [vector([1.0, 0.0, 0.0]), vector([1.0, 2.0]), None, vector([0.0])]
    array = pa.array(rows, structs.VECTOR)
    assert structs.sparse_size(array) == 4
    assert structs.sparse_size(array.slice(1)) == 1
    matrix = {"numRows": 1 << 20, "numCols": 1 << 20, "isTransposed": False, "values": []}
    matrix |= {"type": 0, "colPtrs": [], "rowIndices": []}
    assert structs.sparse_size(pa.array([matrix], structs.MATRIX)) == 1 << 40
    assert structs.sparse_size(pa.array([1.0])) == 0


def test_more_elements_than_offsets_of_32_bits_can_count_are_not_lost():
    size = (1 << 30) + 1
    lists = offsets_of(np.array([size, size], np.int32), pa.nulls(2 * size))
    assert lists.value_lengths().to_pylist() == [size, size]
