"""Forged warm-up files: any bytes are refused, or are requests of bounded size."""

from __future__ import annotations

import contextlib
import re
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.allocations import least_peak
from tfspark import dtypes
from tfspark.errors import InvalidModelError
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import ByteStrings
from tfspark.warmup import FILE, MOST_BYTES, MOST_RECORDS, requests

pytestmark = pytest.mark.timeout(60)

ANY_BYTES = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBERS = {name: dtypes.by_name(name).number for name in ("float32", "int64", "uint8", "string")}
NUMBERS |= {"float16": dtypes.by_name("float16").number, "bool": dtypes.by_name("bool").number}


def signature(dtype):
    spec = TensorSpec("x", dtype, None)
    return Signature("serving_default", (spec,), (TensorSpec("y", "float32", (None,)),))


def framed(*records):
    return b"".join(struct.pack("<QI", len(one), 0) + one + bytes(4) for one in records)


def log(dtype="float32", shape=(), *, unknown_rank=False, name="x", **fields):
    one = PredictionLog()
    tensor = one.predict_log.request.inputs[name]
    tensor.dtype = NUMBERS[dtype]
    tensor.tensor_shape.unknown_rank = unknown_rank
    for size in shape:
        tensor.tensor_shape.dim.add().size = size
    for field, values in fields.items():
        if field == "tensor_content":
            tensor.tensor_content = values
        else:
            getattr(tensor, field).extend(values)
    return one.SerializeToString()


def read(tmp_path, content, dtype="float32"):
    file = tmp_path / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return list(requests(tmp_path, signature(dtype)))


def size_of(tensor):
    return tensor.values.nbytes if isinstance(tensor, ByteStrings) else tensor.nbytes


GIB_8 = (1 << 31,)


@pytest.mark.parametrize(
    ("dtype", "record", "words"),
    [
        ("float32", log("float32", GIB_8, float_val=[1.0]), "tensors of 8589934592 bytes"),
        ("float32", log("float32", (MOST_BYTES // 4 + 1,), float_val=[1.0]), "more than 67108864"),
        ("string", log("string", (1 << 20,), string_val=[b"x" * 4096]), "more than 67108864"),
        ("string", log("string", (1 << 40,)), "more than 67108864"),
        ("int64", log("int64", ((1 << 62),) * 40, int64_val=[1]), "more than 67108864"),
        ("int64", log("int64", (-1,), int64_val=[1]), "a tensor of shape (-1,)"),
        ("int64", log("int64", (-2, -2), int64_val=[1]), "a tensor of shape (-2, -2)"),
        ("int64", log("int64", (0, -(1 << 63)), int64_val=[1]), "a tensor of shape (0, -"),
        ("int64", log("int64", (2,), tensor_content=b"123"), "record 0"),
        ("int64", log("int64", (3,), tensor_content=bytes(16)), "record 0"),
        ("float32", log("float32", (1,) * 200, float_val=[1.0]), "record 0"),
        ("float32", log("float32", (0, 1 << 62, 1 << 62)), "record 0"),
        ("uint8", log("uint8", (1,), int_val=[300]), "record 0"),
        ("uint8", log("uint8", (1,), int_val=[-1]), "record 0"),
        ("float16", log("float16", (1,), half_val=[1 << 20]), "record 0"),
        ("float32", log("float32", (1,), float_val=[1.0, 2.0]), "elements in a tensor"),
        ("float32", log("float32", GIB_8, name="z", float_val=[1.0]), "found {'z': 'float32'}"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_a_request_that_no_model_takes_is_refused_with_little_memory(
    tmp_path, dtype, record, words
):
    def refused():
        with pytest.raises(InvalidModelError, match=re.escape(words)):
            read(tmp_path, framed(record), dtype)

    assert least_peak(refused) < 4 << 20


def test_answers_of_any_size_are_refused_too(tmp_path):
    one = PredictionLog.FromString(log("float32", (1,), float_val=[1.0]))
    answer = one.predict_log.response.outputs["y"]
    answer.dtype = NUMBERS["float32"]
    answer.tensor_shape.dim.add().size = 1 << 40
    with pytest.raises(InvalidModelError, match="more than 67108864"):
        read(tmp_path, framed(one.SerializeToString()))


def test_as_many_records_as_tensorflow_serving_takes(tmp_path):
    good = log("float32", (1,), float_val=[1.0])
    assert len(read(tmp_path, framed(*[good] * MOST_RECORDS))) == MOST_RECORDS
    with pytest.raises(InvalidModelError, match="more than 1000 records"):
        read(tmp_path, framed(*[good] * (MOST_RECORDS + 1)))


@pytest.mark.parametrize("length", [MOST_BYTES + 1, 1 << 40, (1 << 64) - 1])
def test_a_record_of_any_length_is_not_read(tmp_path, length):
    file = tmp_path / FILE
    file.parent.mkdir()
    with file.open("wb") as stream:
        stream.write(struct.pack("<QI", length, 0))
        stream.truncate(1 << 40)  # a sparse file
    with pytest.raises(InvalidModelError, match=f"a record of {length} bytes, more than"):
        list(requests(tmp_path, signature("float32")))


@ANY_BYTES
@given(content=st.binary(max_size=400), framing=st.booleans())
def test_any_bytes_are_refused_or_are_requests(tmp_path, content, framing):
    with contextlib.suppress(InvalidModelError):
        read(tmp_path, framed(content) if framing else content)


@ANY_BYTES
@given(content=st.data())
def test_bytes_after_a_good_beginning(tmp_path, content):
    good = bytearray(framed(*[log("float32", (2, 2), float_val=[1.0, 2.0, 3.0])] * 2))
    for _ in range(content.draw(st.integers(1, 4))):
        good[content.draw(st.integers(0, len(good) - 1))] = content.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidModelError):
        read(tmp_path, bytes(good))


SIZES = st.sampled_from([0, 1, 2, 3, 7, -1, 1 << 20, 1 << 31, (1 << 63) - 1, -(1 << 63)])
FIELDS = {
    "float_val": st.lists(st.floats(width=32), max_size=4),
    "int_val": st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=4),
    "int64_val": st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4),
    "half_val": st.lists(st.integers(-1, 1 << 17), max_size=4),
    "bool_val": st.lists(st.booleans(), max_size=4),
    "string_val": st.lists(st.binary(max_size=5), max_size=4),
    "tensor_content": st.binary(max_size=24),
}


@ANY_BYTES
@given(
    dtype=st.sampled_from(sorted(NUMBERS)),
    shape=st.lists(SIZES, max_size=4),
    unknown_rank=st.booleans(),
    fields=st.fixed_dictionaries({}, optional=FIELDS),
)
def test_any_tensor_is_refused_or_bounded(tmp_path, dtype, shape, unknown_rank, fields):
    record = log(dtype, shape, unknown_rank=unknown_rank, **fields)
    try:
        [request] = read(tmp_path, framed(record), dtype)
    except InvalidModelError:
        return
    tensor = request.inputs["x"]
    assert tensor.shape == tuple(shape)
    assert size_of(tensor) <= MOST_BYTES
    assert not isinstance(tensor, np.ndarray) or tensor.dtype.name == dtype
