"""Converts Arrow columns to serialized Examples. Driver and executor.

Each feature of all rows is written by a few calls of Arrow. A null column value is a missing
feature; a null inside an array is refused, because a list of an Example has no nulls. Features are
in the order of the columns. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tfspark.errors import RowError, explain
from tfspark.tfrecord.arrow import (
    Column,
    binary_array,
    buffer,
    element_type,
    is_valid,
    values_of,
)
from tfspark.tfrecord.columns import TAGS, VALUES, FeatureColumn, RecordType
from tfspark.tfrecord.wire import Bytes, Ints

# pyarrow's stubs know the type of an array only where the code declares it.
pc: Any = pyarrow.compute

_FIRST = b"\x0a"
_SECOND = b"\x12"


def encode(
    arrays: Sequence[Column], columns: Sequence[FeatureColumn], record_type: RecordType
) -> Column:
    """Return one serialized record for each row.

    Args:
        arrays: The columns, of equal length; at least one.
        columns: Their features.
        record_type: Type of the records; for `ByteArray`, the single column has them.

    Raises:
        RowError: When an array contains a null, a double is too large for a float, or a record is
            null.
    """
    if record_type == "ByteArray":
        return _records(arrays[0], columns[0])
    pairs = list(zip(arrays, columns, strict=True))
    features = [_entry(array, column) for array, column in pairs if column.depth < 2]
    lists = [_entry(array, column) for array, column in pairs if column.depth == 2]
    rows = len(arrays[0])
    parts = [_field(_FIRST, _concatenated(features, rows))] if features else []
    parts += [_field(_SECOND, _concatenated(lists, rows))] if lists else []
    return _concatenated(parts, rows)


def bytes_of(records: Column) -> list[bytes]:
    """Return serialized records as Python's bytes."""
    found: list[Any] = records.to_pylist()
    return found


def _records(array: Column, column: FeatureColumn) -> Column:
    if array.null_count:
        raise RowError(
            explain(
                f"Column {column.name!r} contains a null.",
                expected="bytes, because a file of records has no nulls",
                found=f"a null in row {array.is_null().to_pylist().index(True)} of the batch",
                hint="filter the nulls out.",
            )
        )
    return array.cast(pa.binary())


def _entry(array: Column, column: FeatureColumn) -> Column:
    """Return the entry of the map of features; null where the value is null."""
    value = _feature_list(array, column) if column.depth == 2 else _feature(array, column)
    name = column.name.encode()
    size: Any = _varints(np.array([len(name)])).to_pylist()[0]
    key = _FIRST + size + name
    return _field(_FIRST, _joined(pa.scalar(key), _field(_SECOND, value)))


def _feature_list(array: Column, column: FeatureColumn) -> Column:
    _refuse_nulls(array, column)
    inner = FeatureColumn(column.name, column.kind, 1, element_type(column.type))
    features = _field(_FIRST, _feature(_flat(array), inner))
    return _grouped(features, array)


def _feature(array: Column, column: FeatureColumn) -> Column:
    """Return the Feature message of each row."""
    if column.depth:
        _refuse_nulls(array, column)
    values = _flat(array) if column.depth else array.drop_null()
    stored = values.cast(VALUES[column.kind])
    if pa.types.is_float64(values.type):
        _refuse_overflow(values, stored, column)
    packed = _WRITERS[column.kind](stored)
    lists = _grouped(packed, array) if column.depth else _spread(packed, array)
    if column.kind != "bytes":  # an empty list has no field at all
        filled = _field(_FIRST, lists)
        lists = pc.if_else(pc.equal(pc.binary_length(lists), 0), pa.scalar(b""), filled)
    return _field(bytes([TAGS[column.kind]]), lists)


def _floats(values: Column) -> Column:
    data = np.ascontiguousarray(values_of(values), "<f4")
    return binary_array(np.arange(len(values) + 1, dtype=np.int64) * 4, data)


def _integers(values: Column) -> Column:
    return _varints(values_of(values))


def _texts(values: Column) -> Column:
    return _field(_FIRST, values)


_WRITERS = {"bytes": _texts, "float": _floats, "int64": _integers}


def _field(tag: bytes, content: Column) -> Column:
    """Return fields of a message: tag, length, content; null where the content is null."""
    length = values_of(pc.fill_null(pc.binary_length(content), 0))
    return _joined(pa.scalar(tag), _varints(length), content)


def _joined(*parts: Any) -> Column:
    """Join arrays and scalars of bytes, row by row; null where one of them is null."""
    joined: Column = pc.binary_join_element_wise(*parts, pa.scalar(b""))
    return joined


def _concatenated(parts: Sequence[Column], rows: int) -> Column:
    """Return the parts of each row, joined; a null is left out."""
    if not parts:
        return pa.repeat(b"", rows)
    filled: list[Column] = [pc.fill_null(part, b"") for part in parts]
    return _joined(*filled) if len(parts) > 1 else filled[0]


def _varints(values: Ints) -> Column:
    """Return each integer as a varint."""
    rest = values.astype(np.int64).view(np.uint64)
    if not (rest >> np.uint64(7)).any():
        return binary_array(np.arange(len(rest) + 1), rest.astype(np.uint8))
    size = np.ones(len(rest), np.int64)
    for index in range(1, 10):
        size += (rest >> np.uint64(7 * index)) != 0
    offsets = np.zeros(len(rest) + 1, np.int64)
    np.cumsum(size, out=offsets[1:])
    data = np.empty(offsets[-1], np.uint8)
    for index in range(int(size.max())):
        among = np.flatnonzero(size > index)
        byte = (rest[among] >> np.uint64(7 * index)) & np.uint64(0x7F)
        more = (size[among] > index + 1).astype(np.uint8) << 7
        data[offsets[among] + index] = byte.astype(np.uint8) | more
    return binary_array(offsets, data)


def _grouped(pieces: Column, lists: Column) -> Column:
    """Join the pieces of each list; null where the list is null."""
    lengths = values_of(pc.fill_null(pc.list_value_length(lists), 0))
    ends = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    sizes = values_of(pc.binary_length(pieces))
    offsets = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    joined = binary_array(offsets[ends], _bytes_in(pieces))
    return _null_where(joined, lists)


def _bytes_in(pieces: Column) -> Bytes:
    """Return the bytes of all pieces; none of them is null."""
    _, offsets, data = pieces.buffers()
    if not len(pieces) or offsets is None or data is None:
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(memoryview(offsets), np.int32)
    first, last = bounds[pieces.offset], bounds[pieces.offset + len(pieces)]
    return np.frombuffer(memoryview(data), np.uint8)[first:last]


def _spread(pieces: Column, rows: Column) -> Column:
    """Return the pieces at the rows that are not null."""
    if not rows.null_count:
        return pieces
    there = is_valid(rows)
    at = np.cumsum(there, dtype=np.int64) - 1
    mask = buffer(np.packbits(there, bitorder="little"))
    indices: Column = pa.Array.from_buffers(pa.int64(), len(at), [mask, buffer(at)])
    return pieces.take(indices)


def _null_where(array: Column, rows: Column) -> Column:
    if not rows.null_count:
        return array
    chosen: Column = pc.if_else(rows.is_valid(), array, pa.scalar(None, pa.binary()))
    return chosen


def _flat(lists: Any) -> Column:
    """Return the values of all lists."""
    values: Column = lists.flatten()
    return values


def _refuse_overflow(values: Column, stored: Column, column: FeatureColumn) -> None:
    """Refuse doubles that become infinite in the floats of an Example."""
    large = np.flatnonzero(np.isinf(values_of(stored)) & np.isfinite(values_of(values)))
    if len(large):
        raise RowError(
            explain(
                f"A number in column {column.name!r} is too large for the float of an Example.",
                expected="at most 3.4e38",
                found=str(values[int(large[0])].as_py()),
                hint="scale the column, or write it as a string.",
            )
        )


def _refuse_nulls(lists: Column, column: FeatureColumn) -> None:
    if not _flat(lists).null_count:
        return
    inside = [None in (row or []) for row in lists.to_pylist()]
    raise RowError(
        explain(
            f"The array in column {column.name!r} contains a null.",
            expected="values only, because a list of an Example has no nulls",
            found=f"a null in row {inside.index(True)} of the batch",
            hint=f"remove the nulls, for example with array_compact({column.name}).",
        )
    )
