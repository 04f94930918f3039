"""Reads the warm-up requests of an export dir. Executor.

A worker runs them once after it has loaded the model. The file is
`assets.extra/tf_serving_warmup_requests`, TensorFlow Serving's TFRecords of `PredictionLog`.
`requests` yields the requests of one signature as tensors, with the recorded answers, if any. No
TensorFlow, no Spark.

The file is not trusted, so its size is limited: 1000 records, as in TensorFlow Serving
(`kMaxNumRecords` in saved_model_warmup_util.h), 64 MiB for a record, and 64 MiB for the tensors of
a request, because a record of 24 bytes can declare a tensor of any size.

Logs of APIs other than Predict are skipped. Checksums of records are not checked, because the
digest of the export dir covers the file.
Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from google.protobuf.message import DecodeError

from tfspark import bfloat16, dtypes
from tfspark.errors import InvalidModelError, explain
from tfspark.options import SERVING_DEFAULT
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.signature import Signature
from tfspark.tensors import ByteStrings, Tensor

Array: TypeAlias = np.ndarray[Any, Any]

FILE = Path("assets.extra") / "tf_serving_warmup_requests"

MOST_RECORDS = 1000
MOST_BYTES = 64 << 20

# Memory of an element of a string tensor, without its characters.
_STRING_BYTES = 16

# Fields of a TensorProto that hold elements of a type when `tensor_content` is empty.
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
}


@dataclass(frozen=True)
class Request:
    """One recorded request: its inputs by name, and its recorded outputs, if any."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def requests(export_dir: Path, signature: Signature) -> Iterator[Request]:
    """Yield the recorded requests of a signature, in order; none when there is no file.

    Raises:
        InvalidModelError: When the file is broken or too large, or a request does not fit the
            signature.
    """
    file = export_dir / FILE
    if not file.is_file():
        return
    for number, record in enumerate(_records(file)):
        if number == MOST_RECORDS:
            raise _broken(file, f"more than {MOST_RECORDS} records")
        try:
            log = PredictionLog.FromString(record).predict_log
            name = log.request.model_spec.signature_name or SERVING_DEFAULT
            if name == signature.name and log.request.inputs:
                _check(log.request.inputs, signature)
                yield Request(_tensors(log.request.inputs), _recorded(log.response.outputs))
        except (DecodeError, ValueError, TypeError, OverflowError) as error:
            raise _broken(file, f"record {number}: {error}") from error


def _records(file: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file: length, its checksum, bytes, their checksum."""
    with file.open("rb") as stream:
        while header := stream.read(12):
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else 0
            if length > MOST_BYTES:
                raise _broken(file, f"a record of {length} bytes, more than {MOST_BYTES}")
            record = stream.read(length + 4)
            if len(header) != 12 or len(record) != length + 4:
                raise _broken(file, "a record that ends too early")
            yield record[:length]


def _broken(file: Path, found: str) -> InvalidModelError:
    return InvalidModelError(
        explain(
            f"The warm-up requests in {file} cannot be read.",
            expected="TFRecords of PredictionLog, as TensorFlow Serving takes them",
            found=found,
            hint="export the model again, or remove the file.",
        )
    )


def _check(protos: Mapping[str, Any], signature: Signature) -> None:
    found = {name: dtypes.name_of(proto.dtype) for name, proto in protos.items()}
    expected = {spec.name: spec.dtype for spec in signature.inputs}
    if found != expected:
        raise ValueError(f"expected the inputs {expected}, found {found}")


def _recorded(protos: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the recorded outputs of supported types."""
    known = {
        name: proto
        for name, proto in protos.items()
        if dtypes.reason_unsupported(dtypes.name_of(proto.dtype)) is None
    }
    return _tensors(known)


def _tensors(protos: Mapping[str, Any]) -> dict[str, Tensor]:
    """Convert TensorProtos to tensors; refuse them when they declare too many bytes."""
    declared = sum(map(_bytes_of, protos.values()))
    if declared > MOST_BYTES:
        raise ValueError(f"tensors of {declared} bytes, more than {MOST_BYTES}")
    return {name: _tensor(proto) for name, proto in protos.items()}


def _bytes_of(proto: Any) -> int:
    """Return the bytes that a tensor needs in memory, from its type and shape."""
    dtype = dtypes.by_name(dtypes.name_of(proto.dtype))
    count = _count(tuple(dim.size for dim in proto.tensor_shape.dim))
    if not dtype.is_string:
        return count * np.dtype(dtype.numpy).itemsize
    texts = proto.string_val
    repeated = max(count - len(texts), 0) * len(texts[-1]) if texts else 0
    return max(count, len(texts)) * _STRING_BYTES + sum(map(len, texts)) + repeated


def _count(shape: tuple[int, ...]) -> int:
    if any(size < 0 for size in shape):
        raise ValueError(f"a tensor of shape {shape}")
    return math.prod(shape)


def _tensor(proto: Any) -> Tensor:
    """Convert a TensorProto to a tensor; the last element replaces missing ones."""
    dtype = dtypes.by_name(dtypes.name_of(proto.dtype))
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if dtype.is_string:
        texts = np.empty(len(proto.string_val), dtype=object)
        texts[:] = list(proto.string_val)
        return ByteStrings.from_objects(_spread(texts, shape))
    if proto.tensor_content:
        return _of_bytes(proto.tensor_content, dtype).reshape(shape)
    if dtype.name in ("float16", "bfloat16"):
        bits = np.array(proto.half_val[: _count(shape) + 1], np.uint16)
        return _spread(_of_bytes(bits.tobytes(), dtype), shape)
    values = getattr(proto, _FIELDS.get(dtype.name, "int_val"))
    return _spread(np.array(values[: _count(shape) + 1], dtype.numpy), shape)


def _of_bytes(content: bytes, dtype: dtypes.DType) -> Array:
    if dtype.is_bfloat16:
        return bfloat16.from_bits(np.frombuffer(content, np.uint16))
    return np.frombuffer(content, dtype.numpy)


def _spread(values: Array, shape: tuple[int, ...]) -> Array:
    size = _count(shape)
    if len(values) == size:
        return values.reshape(shape)
    if not len(values) or len(values) > size:
        raise ValueError(f"{len(values)} elements in a tensor of shape {shape}")
    return np.concatenate([values, np.repeat(values[-1:], size - len(values))]).reshape(shape)
