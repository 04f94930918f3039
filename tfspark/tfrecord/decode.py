"""Converts the records of a TFRecord file to Arrow columns. Driver and executor.

All records of a chunk are parsed at once (`wire`). Records with a layout that protobuf's own
writers do not use are parsed and written again by protobuf first. As in protobuf, the last of
several features with one name counts. Features that no column needs are skipped. No Spark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from google.protobuf.message import DecodeError

from tfspark.example_pb2 import Example, SequenceExample
from tfspark.tfrecord.arrow import Column, is_valid
from tfspark.tfrecord.columns import FeatureColumn, RecordType
from tfspark.tfrecord.names import Names
from tfspark.tfrecord.records import Records
from tfspark.tfrecord.values import BadRecordError, binary, column_of
from tfspark.tfrecord.wire import PADDING, Fields, Flags, Ints, Wire

# The tag of the first field of a message, which is a message or bytes.
_FIRST = 0x0A
_SECOND = 0x12
# A record with more features is unusual. Protobuf merges features with one name, so a small file
# cannot fill the memory with empty features.
_MOST_FEATURES = 1 << 20
_DEPTH_OF_FIELD = {_FIRST: (0, 1), _SECOND: (2,)}


def decode(
    records: Records, columns: Sequence[FeatureColumn], record_type: RecordType
) -> list[Column]:
    """Convert records to columns.

    Args:
        records: Complete records.
        columns: The features to read. A missing feature is null if its column is nullable.
        record_type: Type of the records.

    Raises:
        BadRecordError: When a record is not of this type, or a feature does not fit its column.
    """
    if record_type == "ByteArray":
        wire = Wire(records.data)
        whole = binary(wire, records.start, records.stop)
        return [whole.cast(column.type) for column in columns]
    arrays, unusual = _decode(records, columns, record_type)
    if unusual.any():
        arrays, unusual = _decode(_usual(records, unusual, record_type), columns, record_type)
        if unusual.any():
            raise BadRecordError(np.flatnonzero(unusual)[0], f"it is not a valid {record_type}")
    for column, array in zip(columns, arrays, strict=True):
        if array.null_count and not column.is_nullable:
            raise BadRecordError(
                np.flatnonzero(~is_valid(array))[0],
                f"it has no feature {column.name!r}, but the column cannot be null",
                "give a schema in which the column is nullable.",
            )
    return arrays


def _usual(records: Records, unusual: Flags, record_type: RecordType) -> Records:
    """Let protobuf write the unusual records again."""
    message_type = Example if record_type == "Example" else SequenceExample
    written = []
    for index, is_unusual in enumerate(unusual.tolist()):
        record = records[index]
        if is_unusual:
            try:
                message = message_type.FromString(record)
            except DecodeError as error:
                raise BadRecordError(index, f"it is not a valid {record_type}") from error
            message.DiscardUnknownFields()
            record = message.SerializeToString()
        written.append(record)
    stop = np.cumsum([len(record) for record in written])
    start = np.zeros_like(stop)
    start[1:] = stop[:-1]
    return replace(records, data=b"".join([*written, bytes(PADDING)]), start=start, stop=stop)


def _decode(
    records: Records, columns: Sequence[FeatureColumn], record_type: RecordType
) -> tuple[list[Column], Flags]:
    """Return the columns, and which records are unusual; the columns are then incomplete."""
    wire, unusual = Wire(records.data), np.zeros(len(records), np.bool_)
    expected = [_FIRST] if record_type == "Example" else [_FIRST, _SECOND]
    fields, odd = wire.split(records.start, records.stop, len(expected))
    unusual |= odd
    known = fields.tag == _FIRST
    if len(expected) > 1:
        known |= fields.tag == _SECOND
    unusual[fields.owner[~known]] = True
    arrays: dict[str, Column] = {}
    for tag in expected:
        chosen = [column for column in columns if column.depth in _DEPTH_OF_FIELD[tag]]
        if not chosen:
            continue
        maps = fields.of(fields.tag == tag) if len(expected) > 1 else fields
        unusual |= np.bincount(maps.owner, minlength=len(records)) > 1
        names = Names.of([column.name for column in chosen])
        values = _values_by_name(wire, maps, names, unusual)
        for column, found in zip(chosen, values, strict=True):
            arrays[column.name] = column_of(wire, column, found, unusual)
    return [arrays[column.name] for column in columns], unusual


def _values_by_name(wire: Wire, maps: Fields, names: Names, unusual: Flags) -> Iterator[Fields]:
    """Return the values of each name in maps, with their records as owners."""
    entries, codes = _entries(wire, maps, names, unusual)
    order = np.argsort(codes.astype(np.int32), kind="stable")
    entries = entries.of(order)
    bounds = np.searchsorted(codes[order], np.arange(len(names.sizes) + 1))
    for first, last in pairwise(bounds.tolist()):
        yield _last(entries.of(slice(first, last)), len(unusual))


def _entries(wire: Wire, maps: Fields, names: Names, unusual: Flags) -> tuple[Fields, Ints]:
    """Return the values of maps, with their records as owners, and the index of their names."""
    entries, odd = wire.split(maps.start, maps.stop, _MOST_FEATURES)
    unusual[maps.owner[odd]] = True
    owner, limit = maps.owner[entries.owner], entries.stop
    tag, key, value = wire.header(entries.start)
    usual = (entries.tag == _FIRST) & (tag == _FIRST) & (value < limit)
    tag, start, stop = wire.header(value if usual.all() else np.where(usual, value, 0))
    usual &= (tag == _SECOND) & (stop == limit)
    if not usual.all():
        unusual[owner[~usual]] = True
        owner, key, value = owner[usual], key[usual], value[usual]
        tag, start, stop = tag[usual], start[usual], stop[usual]
    return Fields(owner, tag, start, stop), names.find(wire, key, value)


def _last(values: Fields, count: int) -> Fields:
    """Keep the last value of each record, in the order of the records."""
    if (values.owner[1:] > values.owner[:-1]).all():
        return values
    at = np.full(count, -1, np.int64)
    at[values.owner] = np.arange(len(values.owner))
    return values.of(at[at >= 0])
