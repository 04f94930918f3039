"""The types of tensors: arrays of numbers, byte strings, and groups of rows with equal shapes.

Driver and executor; no TensorFlow, no Spark, no pandas. If possible, NumPy arrays here are
read-only views of Arrow's memory, and keep it alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tfspark import dtypes

Array: TypeAlias = npt.NDArray[Any]
Rows: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]


class RowProblem(Exception):  # noqa: N818 - becomes a RowError once the runner knows model and row
    """A row of the current batch that cannot be fed or returned."""

    def __init__(self, row: int, column: str, problem: str, hint: str = "") -> None:
        super().__init__(row, column, problem, hint)
        self.row = row
        self.column = column
        self.problem = problem
        self.hint = hint

    def among(self, rows: Rows) -> RowProblem:
        """Return the same problem for row `rows[row]` of the batch that these rows come from."""
        return RowProblem(int(rows[self.row]), self.column, self.problem, self.hint)


@dataclass(frozen=True)
class ByteStrings:
    """A tensor of byte strings in Arrow's memory, without a Python object for each element.

    Attributes:
        values: All elements in row-major order, without nulls; binary or large_binary.
        shape: The tensor's shape.
    """

    values: dtypes.ArrowArray
    shape: tuple[int, ...]

    @classmethod
    def from_objects(cls, array: Array) -> ByteStrings:
        """Convert a NumPy object array of bytes, the form of TensorFlow's Python API."""
        return cls(pa.array(array.ravel().tolist(), pa.large_binary()), array.shape)

    def to_objects(self) -> Array:
        """Return a NumPy object array of bytes, the form of TensorFlow's Python API."""
        flat = np.empty(len(self.values), dtype=object)
        flat[:] = self.values.to_pylist()
        return flat.reshape(self.shape)


Tensor: TypeAlias = Array | ByteStrings


@dataclass(frozen=True)
class Group:
    """Rows of one batch whose inputs have equal shapes, so that one call can score them."""

    rows: Rows
    inputs: dict[str, Tensor]

    def halves(self) -> tuple[Group, Group]:
        """Return the first and the second half of the rows; no bytes are copied."""
        middle = len(self.rows) // 2
        return self.slice(0, middle), self.slice(middle, len(self.rows))

    def slice(self, start: int, stop: int) -> Group:
        """Return the rows from `start` up to `stop`; no bytes are copied."""
        return Group(
            self.rows[start:stop],
            {name: slice_rows(tensor, start, stop) for name, tensor in self.inputs.items()},
        )


def to_arrow(values: Array, valid: Flags | None = None) -> dtypes.ArrowArray:
    """Wrap a flat NumPy array without a copy; only booleans are copied, into bits.

    `pyarrow.array` does the same, but imports pandas first: 0.3 s and 40 MB in every worker.
    """
    flat = np.ascontiguousarray(values)
    data = np.packbits(flat, bitorder="little") if flat.dtype == np.bool_ else flat
    mask = None if valid is None else _buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(flat.dtype), len(flat), [mask, _buffer(data)])


def _buffer(values: Array) -> pa.Buffer:
    return pa.py_buffer(cast("memoryview", values))


def to_numpy(array: dtypes.ArrowArray) -> Array:
    """Return numbers without nulls as a view of Arrow's memory; only booleans are copied.

    `pyarrow.Array.to_numpy` does the same, but imports pandas first.
    """
    dtype = dtypes.numpy_type(array.type)
    data = array.buffers()[1]
    if dtype is None or data is None or not len(array):
        return np.empty(0, dtype)
    if dtype != np.bool_:
        values = np.frombuffer(memoryview(data), dtype, len(array), array.offset * dtype.itemsize)
        values.flags.writeable = False
        return values
    first, skipped = divmod(array.offset, 8)
    packed = np.frombuffer(memoryview(data), np.uint8, offset=first)
    bits = np.unpackbits(packed, count=skipped + len(array), bitorder="little")
    return bits[skipped:].view(np.bool_)


def slice_rows(tensor: Tensor, start: int, stop: int) -> Tensor:
    """Return some rows of a tensor as a view; a scalar is returned unchanged."""
    if not tensor.shape:
        return tensor
    if isinstance(tensor, ByteStrings):
        width = prod(tensor.shape[1:])
        values = tensor.values.slice(start * width, (stop - start) * width)
        return ByteStrings(values, (stop - start, *tensor.shape[1:]))
    return tensor[start:stop]


def pad_rows(tensor: Tensor, rows: int) -> Tensor:
    """Repeat the last row of a tensor until it has `rows` rows; a scalar is returned unchanged."""
    if not tensor.shape:
        return tensor
    indices = np.minimum(np.arange(rows), tensor.shape[0] - 1)
    if isinstance(tensor, ByteStrings):
        width = prod(tensor.shape[1:])
        elements = (indices[:, None] * width + np.arange(width)).ravel()
        return ByteStrings(tensor.values.take(to_arrow(elements)), (rows, *tensor.shape[1:]))
    return tensor[indices]
