"""Reads the default of an input from its `TensorProto` in a SavedModel. Driver.

TensorFlow writes a default if an argument of the exported function has a tensor as its default.
Only single values are read: a default with a shape is a whole batch, and batches have other sizes.
No TensorFlow, no Spark.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tfspark import bfloat16, dtypes
from tfspark.saved_model_pb2 import TensorProto

Default: TypeAlias = bool | int | float | str

# The field that holds the elements of a type if `tensor_content` is empty; by default `int_val`.
_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "float16": "half_val",
    "bfloat16": "half_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "string": "string_val",
}


def default_of(proto: TensorProto) -> Default | None:
    """Return a single value; `None` for any other tensor, and for text that is not UTF-8."""
    name = dtypes.name_of(proto.dtype)
    if dtypes.reason_unsupported(name) or proto.tensor_shape.dim or proto.tensor_shape.unknown_rank:
        return None
    dtype = dtypes.by_name(name)
    values = list(getattr(proto, _FIELDS.get(name, "int_val")))
    if len(values) > 1:
        return None
    if dtype.is_string:
        return _text(values[0] if values else b"")
    if proto.tensor_content:
        return _number(proto.tensor_content, dtype)
    if _FIELDS.get(name) == "half_val":
        return _number(np.array(values or [0]).astype(np.uint16).tobytes(), dtype)
    value: Default = values[0] if values else np.dtype(dtype.numpy).type(0).item()
    return value


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _number(content: bytes, dtype: dtypes.DType) -> Default | None:
    stored = np.dtype(np.uint16 if dtype.is_bfloat16 else dtype.numpy)
    if len(content) != stored.itemsize:
        return None
    values = np.frombuffer(content, stored)
    number: Default = (bfloat16.from_bits(values) if dtype.is_bfloat16 else values)[0].item()
    return number
