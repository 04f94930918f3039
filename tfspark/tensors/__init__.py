"""Converts Arrow columns to tensors and tensors to Arrow columns. Executor."""

from tfspark.tensors.column_stack import ColumnStack
from tfspark.tensors.decode import decode
from tfspark.tensors.encode import encode
from tfspark.tensors.rejecting import encode_good
from tfspark.tensors.values import (
    Array,
    ByteStrings,
    Group,
    RowProblem,
    Tensor,
    pad_rows,
    slice_rows,
    take_rows,
    to_arrow,
)

__all__ = [
    "Array",
    "ByteStrings",
    "ColumnStack",
    "Group",
    "RowProblem",
    "Tensor",
    "decode",
    "encode",
    "encode_good",
    "pad_rows",
    "slice_rows",
    "take_rows",
    "to_arrow",
]
