"""Converts Arrow columns to tensors and tensors to Arrow columns. Executor."""

from tfspark.tensors.decode import decode
from tfspark.tensors.encode import encode
from tfspark.tensors.values import (
    Array,
    ByteStrings,
    Group,
    RowProblem,
    Tensor,
    pad_rows,
    slice_rows,
    to_arrow,
)

__all__ = [
    "Array",
    "ByteStrings",
    "Group",
    "RowProblem",
    "Tensor",
    "decode",
    "encode",
    "pad_rows",
    "slice_rows",
    "to_arrow",
]
