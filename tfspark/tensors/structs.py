"""Converts ML vectors, matrices and images to arrays of numbers, and bytes to uint8. Executor.

A dense vector is not copied. The channels of an image change from Spark's order (B, G, R, A) to the
order of TensorFlow's decoders (R, G, B, A).

Source: `VectorUDT`, `MatrixUDT` and `ImageSchema` of Spark.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import structs
from tfspark.rows import Reason
from tfspark.tensors.lists import Opened
from tfspark.tensors.values import Array, RowProblem, to_arrow, to_numpy

_DENSE = 1
_ENCODED = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8")  # JPEG, PNG, GIF
_DECODE = (
    "the bytes are an encoded image; export a signature that takes strings and decodes them "
    "in the graph with tf.io.decode_image."
)
_RGBA = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}


def as_arrays(array: Any, column: str) -> Any:
    """Return a struct column as arrays of numbers; other columns are not changed.

    Raises:
        RowProblem: For a row that is not an image.
    """
    known = structs.recognised(array.type)
    if known is None:
        return array
    if known == structs.IMAGE:
        return _images(array, column)
    return _vectors(array) if known == structs.VECTOR else _matrices(array)


def as_bytes(array: Any) -> Any:
    """Return binary values as lists of uint8; the bytes are not copied."""
    large = pa.types.is_large_binary(array.type)
    kind = pa.large_list(pa.uint8()) if large else pa.list_(pa.uint8())
    validity, offsets, data = array.buffers()
    size = 0 if data is None else data.size
    elements = pa.Array.from_buffers(pa.uint8(), size, [None, data or pa.py_buffer(b"")])
    return pa.Array.from_buffers(
        kind, len(array), [validity, offsets], array.null_count, array.offset, [elements]
    )


def with_image_hint(problem: RowProblem, column: Opened) -> RowProblem:
    """Return the problem; add a hint if a row contains an encoded image instead of pixels."""
    if column.elements.type != pa.uint8() or len(column.lengths) != 1:
        return problem
    starts = np.cumsum(column.lengths[0]) - column.lengths[0]

    def reason_of(position: int) -> Reason:
        reason = problem.reason_of(position)
        start = int(starts[problem.rows[position]])
        head = bytes(to_numpy(column.elements.slice(start, 4)).tolist())
        return replace(reason, hint=_DECODE) if head.startswith(_ENCODED) else reason

    return RowProblem(problem.rows, reason_of)


def _vectors(array: Any) -> Any:
    """Return vectors as lists of doubles; sparse vectors get their zeros."""
    fields = _fields(array)
    values = fields["values"]
    kinds = to_numpy(fields["type"].fill_null(_DENSE))
    if (kinds == _DENSE).all():
        return _lists(array, to_numpy(values.value_lengths().fill_null(0)), values.flatten())
    sizes = np.where(
        kinds == _DENSE,
        to_numpy(values.value_lengths().fill_null(0)),
        to_numpy(fields["size"].fill_null(0)),
    )
    ends = np.cumsum(sizes)
    flat = np.zeros(int(ends[-1]) if len(ends) else 0)
    positions = _positions(fields["indices"], values, kinds == _DENSE)
    lengths = to_numpy(values.value_lengths().fill_null(0))
    flat[positions + np.repeat(ends - sizes, lengths)] = to_numpy(values.flatten())
    return _lists(array, sizes, to_arrow(flat))


def _positions(indices: Any, values: Any, dense: Array) -> Array:
    """Return the position of every stored value inside its vector."""
    lengths = to_numpy(values.value_lengths().fill_null(0)).astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    positions = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
    is_sparse = np.repeat(~dense, lengths)
    positions[is_sparse] = to_numpy(indices.flatten())
    return positions


def _matrices(array: Any) -> Any:
    """Return matrices as lists of their rows."""
    rows = [_matrix(matrix) for matrix in array.to_pylist()]
    return pa.array(rows, pa.list_(pa.list_(pa.float64())))


def _matrix(found: dict[str, Any] | None) -> list[list[float]] | None:
    if found is None:
        return None
    height, width = found["numRows"], found["numCols"]
    shape = (height, width) if found["isTransposed"] else (width, height)  # rows, or columns, first
    if found["type"] == _DENSE:
        full = np.array(found["values"], dtype=np.float64).reshape(shape)
    else:
        full = np.zeros(shape)
        starts = np.array(found["colPtrs"])
        full[np.repeat(np.arange(shape[0]), np.diff(starts)), found["rowIndices"]] = found["values"]
    rows: list[list[float]] = (full if found["isTransposed"] else full.T).tolist()
    return rows


def _images(array: Any, column: str) -> Any:
    """Return images as (height, width, channels) of uint8."""
    names = ("height", "width", "nChannels")
    fields = _fields(array)
    height, width, channels = (
        to_numpy(fields[name].fill_null(0)).astype(np.int64) for name in names
    )
    is_null = to_numpy(array.is_null())
    data = as_bytes(fields["data"].fill_null(b""))
    lengths = to_numpy(data.value_lengths()).astype(np.int64)
    sizes = height * width * channels
    wrong = ~is_null & ((sizes != lengths) | (sizes <= 0) | ~np.isin(channels, list(_RGBA)))
    if wrong.any():
        bad = np.flatnonzero(wrong)

        def reason_of(position: int) -> Reason:
            row = bad[position]
            shape = tuple(int(one[row]) for one in (height, width, channels))
            found = f"(height, width, channels) {shape} with {int(lengths[row])} bytes"
            message = f"expected an image of 1, 3 or 4 channels, found {found}"
            return Reason("NOT_AN_IMAGE", message, column)

        raise RowProblem(bad, reason_of)
    pixels = _in_rgba(to_numpy(data.flatten()), sizes, channels)
    inner = _offsets(np.repeat(channels, np.where(is_null, 0, height * width)), to_arrow(pixels))
    return _lists(array, height, _offsets(np.repeat(width, np.where(is_null, 0, height)), inner))


def _in_rgba(pixels: Array, sizes: Array, channels: Array) -> Array:
    """Return the pixels of all images with their channels in TensorFlow's order."""
    ordered = pixels.copy()
    owner = np.repeat(channels, sizes)
    for count in set(channels.tolist()) - {0, 1}:
        mine = owner == count
        ordered[mine] = pixels[mine].reshape(-1, count)[:, _RGBA[count]].ravel()
    return ordered


def _fields(array: Any) -> dict[str, Any]:
    """Return the fields of a struct; the fields of a null struct are null."""
    names = [field.name for field in array.type]
    return dict(zip(names, array.flatten(), strict=True))


def _lists(array: Any, lengths: Array, elements: Any) -> Any:
    """Return lists with the nulls of a struct column."""
    made = _offsets(lengths, elements)
    if not array.null_count:
        return made
    return type(made).from_arrays(made.offsets, made.values, mask=array.is_null())


def _offsets(lengths: Array, elements: Any) -> Any:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    is_large = offsets[-1] > np.iinfo(np.int32).max
    starts: Any = to_arrow(offsets if is_large else offsets.astype(np.int32))
    return (pa.LargeListArray if is_large else pa.ListArray).from_arrays(starts, elements)
