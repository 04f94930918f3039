"""The requests that an export dir brings along to be run once when it is loaded.

In comes an export dir with `assets.extra/tf_serving_warmup_requests`, the file of TensorFlow
Serving: TFRecords of `PredictionLog`. Out come the requests of one signature as tensors, with the
answers where they were recorded. Executor and tests; no TensorFlow, no Spark.

Not here: other logs than those of Predict, which are passed over; the checksums of the records,
because the digest of the export dir covers the file.
Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from google.protobuf.message import DecodeError

from tfspark import dtypes
from tfspark.errors import InvalidModelError, explain
from tfspark.prediction_log_pb2 import PredictionLog
from tfspark.signature import Signature
from tfspark.tensors import ByteStrings, Tensor

Array: TypeAlias = np.ndarray[Any, Any]

FILE = Path("assets.extra") / "tf_serving_warmup_requests"

# Fields of a TensorProto that hold elements of a type when its `tensor_content` does not.
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
    """One recorded request: inputs by name, and the outputs that were answered, if recorded."""

    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]


def requests(export_dir: Path, signature: Signature) -> Iterator[Request]:
    """Yield the recorded requests of a signature, in order; none when there is no file.

    Raises:
        InvalidModelError: When the file is broken, or a request is not what the signature takes.
    """
    file = export_dir / FILE
    if not file.is_file():
        return
    for number, record in enumerate(_records(file)):
        try:
            log = PredictionLog.FromString(record).predict_log
            name = log.request.model_spec.signature_name or "serving_default"
            if name == signature.name and log.request.inputs:
                inputs = {name: _tensor(proto) for name, proto in log.request.inputs.items()}
                _check(inputs, signature)
                yield Request(inputs, _recorded(log.response.outputs))
        except (DecodeError, ValueError, TypeError) as error:
            raise _broken(file, f"record {number}: {error}") from error


def _records(file: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file: length, its checksum, bytes, their checksum."""
    with file.open("rb") as stream:
        while header := stream.read(12):
            length = struct.unpack("<Q", header[:8])[0] if len(header) == 12 else -1
            record = stream.read(length + 4) if 0 <= length <= file.stat().st_size else b""
            if len(record) != length + 4:
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


def _check(inputs: Mapping[str, Tensor], signature: Signature) -> None:
    found = {name: _dtype_name(tensor) for name, tensor in inputs.items()}
    expected = {spec.name: spec.dtype for spec in signature.inputs}
    if found != expected:
        raise ValueError(f"expected the inputs {expected}, found {found}")


def _dtype_name(tensor: Tensor) -> str:
    return "string" if isinstance(tensor, ByteStrings) else tensor.dtype.name


def _recorded(protos: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the recorded outputs that have a type of the table."""
    return {
        name: _tensor(proto)
        for name, proto in protos.items()
        if dtypes.unsupported(dtypes.name_of(proto.dtype)) is None
    }


def _tensor(proto: Any) -> Tensor:
    """Turn a TensorProto into a tensor; where elements are left out, the last one is repeated."""
    dtype = dtypes.by_name(dtypes.name_of(proto.dtype))
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if dtype.is_string:
        texts = np.empty(len(proto.string_val), dtype=object)
        texts[:] = list(proto.string_val)
        return ByteStrings.from_objects(_spread(texts, shape))
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype.numpy).reshape(shape)
    if dtype.name == "float16":
        return _spread(np.array(proto.half_val, np.uint16).view(np.float16), shape)
    values = getattr(proto, _FIELDS.get(dtype.name, "int_val"))
    return _spread(np.array(values, dtype.numpy), shape)


def _spread(values: Array, shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape))
    if len(values) == size:
        return values.reshape(shape)
    if not len(values) or len(values) > size:
        raise ValueError(f"{len(values)} elements in a tensor of shape {shape}")
    return np.concatenate([values, np.repeat(values[-1:], size - len(values))]).reshape(shape)
