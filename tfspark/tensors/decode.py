"""Converts output tensors to Arrow columns. Executor.

An output tensor becomes an array with one element for each row; numbers are not copied, unless
their column has a wider type. Bytes that are not valid UTF-8 raise `RowProblem` with the indices of
the rows.
"""

from __future__ import annotations

from math import prod
from typing import Any, cast

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.fetching import OutputBinding
from tfspark.rows import Reason
from tfspark.tensors.values import (
    Array,
    ByteStrings,
    RowProblem,
    Tensor,
    to_arrow,
)


def decode(tensor: Tensor, output: OutputBinding) -> dtypes.ArrowArray:
    """Convert an output tensor to an array of the bound column type.

    Args:
        tensor: (rows, …), from the engine.
        output: The binding; a row shape of (1,) becomes a scalar.

    Returns:
        An array of `output.arrow` with one element per row.

    Raises:
        RowProblem: For the rows with a string that is not valid UTF-8.
    """
    element, depth = dtypes.element_of(output.arrow)
    values = _elements(tensor, element, output)
    for axis in range(depth, 0, -1):
        values = _lists(values, prod(tensor.shape[:axis]), tensor.shape[axis])
    return values


def _elements(tensor: Tensor, element: pa.DataType, output: OutputBinding) -> dtypes.ArrowArray:
    if isinstance(tensor, ByteStrings):
        return _strings(tensor, element, output)
    # Types that Spark lacks are cast to a wider one (uint8 → short); others are not copied.
    flat = np.ascontiguousarray(tensor).reshape(-1)
    if dtypes.is_decimal(element):
        return _decimals(flat, element)
    return to_arrow(flat.astype(dtypes.numpy_type(element), copy=False))


def _decimals(integers: Array, kind: pa.DataType) -> dtypes.ArrowArray:
    """Return unsigned integers of 64 bits as decimals."""
    halves = np.zeros((len(integers), 2), dtype="<u8")  # of 128 bits, the lower half first
    halves[:, 0] = integers
    return pa.Array.from_buffers(
        kind, len(integers), [None, pa.py_buffer(cast("memoryview", halves))]
    )


def _strings(tensor: ByteStrings, element: pa.DataType, output: OutputBinding) -> dtypes.ArrowArray:
    try:
        return tensor.values.cast(element)
    except pa.ArrowInvalid:
        width = max(prod(tensor.shape[1:]), 1)
        values: list[Any] = tensor.values.to_pylist()
        wrong = [index for index, value in enumerate(values) if not _is_text(value)]
        if not wrong:
            raise
        rows, firsts = np.unique(np.array(wrong) // width, return_index=True)

        def reason_of(position: int) -> Reason:
            found = values[wrong[firsts[position]]]
            return Reason("NOT_TEXT", f"output bytes {found[:20]!r} are not UTF-8", output.column)

        raise RowProblem(rows, reason_of) from None


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lists(values: dtypes.ArrowArray, count: int, size: int) -> dtypes.ArrowArray:
    offsets = to_arrow(np.arange(count + 1, dtype=np.int32) * np.int32(size))
    lists: dtypes.ArrowArray = pa.ListArray.from_arrays(cast("pa.Int32Array", offsets), values)
    return lists
