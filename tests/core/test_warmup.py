import struct

import numpy as np
import pytest

from tfspark import dtypes
from tfspark.dtypes import by_name
from tfspark.errors import InvalidModelError
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import ByteStrings
from tfspark.warmup import FILE, requests

X = TensorSpec("x", "float32", (None, 2))
SIGNATURE = Signature("serving_default", (X,), (TensorSpec("y", "float32", (None,)),))


def log(signature="serving_default", outputs=None, **inputs):
    """A recorded request; inputs are (type, shape, {field: values})."""
    one = PredictionLog()
    one.predict_log.request.model_spec.signature_name = signature
    for tensors, given in (
        (one.predict_log.request.inputs, inputs),
        (one.predict_log.response.outputs, outputs or {}),
    ):
        for name, (dtype, shape, fields) in given.items():
            tensors[name].dtype = dtypes.by_name(dtype).number
            for size in shape:
                tensors[name].tensor_shape.dim.add().size = size
            for field, values in fields.items():
                if isinstance(values, bytes):
                    setattr(tensors[name], field, values)
                else:
                    getattr(tensors[name], field).extend(values)
    return one.SerializeToString()


@pytest.fixture
def written(tmp_path):
    def write(*records, cut=0):
        file = tmp_path / FILE
        file.parent.mkdir(exist_ok=True)
        framed = b"".join(struct.pack("<QI", len(one), 0) + one + bytes(4) for one in records)
        file.write_bytes(framed[: len(framed) - cut])
        return tmp_path

    return write


def test_without_a_file_there_is_nothing(tmp_path):
    assert list(requests(tmp_path, SIGNATURE)) == []


def test_requests_of_the_signature_come_in_order(written):
    first = log(x=("float32", (1, 2), {"float_val": [1.0, 2.0]}))
    other = log("other", x=("float32", (1, 2), {"float_val": [9.0, 9.0]}))
    unnamed = log("", x=("float32", (1, 2), {"float_val": [3.0, 5.0]}))
    found = list(
        requests(written(first, other, unnamed, PredictionLog().SerializeToString()), SIGNATURE)
    )
    assert [one.inputs["x"].tolist() for one in found] == [[[1.0, 2.0]], [[3.0, 5.0]]]
    assert [one.outputs for one in found] == [{}, {}]


def test_answers_are_read_where_they_were_recorded(written):
    content = np.array([3.0], np.float32).tobytes()
    one = log(
        outputs={"y": ("float32", (1,), {"tensor_content": content})},
        x=("float32", (1, 2), {"float_val": [1.0, 2.0]}),
    )
    [found] = requests(written(one), SIGNATURE)
    assert found.outputs["y"].tolist() == [3.0]


def test_an_element_that_is_left_out_repeats_the_last(written):
    one = log(x=("float32", (2, 2), {"float_val": [1.0, 2.0]}))
    [found] = requests(written(one), SIGNATURE)
    assert found.inputs["x"].tolist() == [[1.0, 2.0], [2.0, 2.0]]


@pytest.mark.parametrize(
    ("dtype", "field", "values"),
    [
        ("float64", "double_val", [0.5, 2.0]),
        ("int64", "int64_val", [1 << 40, -1]),
        ("int32", "int_val", [7, -7]),
        ("uint8", "int_val", [255, 0]),
        ("uint16", "int_val", [65535, 0]),
        ("uint32", "uint32_val", [1 << 31, 0]),
        ("uint64", "uint64_val", [1 << 63, 0]),
        ("bool", "bool_val", [True, False]),
        ("float16", "half_val", [0x3C00, 0x4000]),  # 1 and 2
        ("bfloat16", "half_val", [0x3F80, 0x4000]),  # 1 and 2
    ],
)
def test_every_type_is_read(written, dtype, field, values):
    one = Signature("serving_default", (TensorSpec("x", dtype, (None,)),), SIGNATURE.outputs)
    [found] = requests(written(log(x=(dtype, (2,), {field: values}))), one)
    assert found.inputs["x"].dtype == by_name(dtype).numpy
    assert found.inputs["x"].tolist() == ([1.0, 2.0] if field == "half_val" else values)


def test_strings_are_read_as_bytes(written):
    one = Signature("serving_default", (TensorSpec("x", "string", (None,)),), SIGNATURE.outputs)
    [found] = requests(written(log(x=("string", (2,), {"string_val": [b"a", b"\xff"]}))), one)
    assert isinstance(found.inputs["x"], ByteStrings)
    assert found.inputs["x"].to_objects().tolist() == [b"a", b"\xff"]


GOOD = log(x=("float32", (1, 2), {"float_val": [1.0, 2.0]}))


@pytest.mark.parametrize(
    ("record", "cut", "words"),
    [
        (GOOD, 1, "a record that ends too early"),
        (GOOD, len(GOOD) + 8, "a record that ends too early"),
        (b"\xff\xff\xff", 0, "record 0"),
        (log(z=("float32", (1, 2), {"float_val": [1.0]})), 0, "found {'z': 'float32'}"),
        (log(x=("int32", (1, 2), {"int_val": [1]})), 0, "found {'x': 'int32'}"),
        (log(x=("float32", (1, 2), {})), 0, "0 elements in a tensor of shape (1, 2)"),
        (log(x=("float32", (1, 1), {"float_val": [1.0, 2.0]})), 0, "2 elements"),
    ],
)
def test_a_broken_file_is_refused_with_words(written, record, cut, words):
    with pytest.raises(InvalidModelError) as caught:
        list(requests(written(record, cut=cut), SIGNATURE))
    assert words in str(caught.value)
    assert "remove the file" in str(caught.value)
