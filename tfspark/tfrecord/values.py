"""Converts Feature messages to Arrow arrays. Driver and executor.

A Feature without a list, and a record without the feature, is null. No Spark.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa

from tfspark.tfrecord.arrow import Column, binary_array, buffer, element_type
from tfspark.tfrecord.columns import KINDS, TAGS, VALUES, FeatureColumn
from tfspark.tfrecord.wire import Fields, Flags, Ints, Wire, unpacked

# The tag of the values in a list, and of the features in a feature list.
_VALUE = 0x0A
_FLOAT_BYTES = 4
# Whether a byte is the tag of a list of a Feature.
_IS_KIND = np.isin(np.arange(256), list(KINDS))


class BadRecordError(ValueError):
    """A record that cannot be converted.

    Attributes:
        index: Index of the record in its chunk.
        hint: How to read it.
    """

    def __init__(self, index: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.index = int(index)
        self.hint = hint


def column_of(wire: Wire, column: FeatureColumn, found: Fields, unusual: Flags) -> Column:
    """Return the values of one feature of all records.

    Args:
        wire: The buffer.
        column: The column.
        found: The Feature messages, or FeatureList messages, with their records as owners; at most
            one for each record, sorted.
        unusual: Which records are unusual; it is updated, and the values of these are wrong.

    Raises:
        BadRecordError: When a feature has another kind, or several values in a scalar column.
    """
    if column.depth < 2:
        found, counts, values = _values(wire, column, found, unusual)
        if column.depth == 0:
            return _scalars(column, found.owner, counts, values, unusual)
        return _lists(column.type, found.owner, counts, values, len(unusual))
    features, odd = wire.split(found.start, found.stop)
    odd[features.owner[features.tag != _VALUE]] = True
    unusual[found.owner[odd]] = True
    features = features.by_owner()
    of_list = features.owner
    inside = Fields(found.owner[of_list], features.tag, features.start, features.stop)
    lengths = np.bincount(of_list, minlength=len(found.owner))
    inside, counts, values = _values(wire, column, inside, unusual, keep_empty=True)
    every = np.arange(len(counts))
    inner = _lists(element_type(column.type), every, counts, values, len(counts))
    return _lists(column.type, found.owner, lengths, inner, len(unusual))


def binary(wire: Wire, start: Ints, stop: Ints) -> Column:
    """Return some ranges of the buffer as an array of bytes."""
    offsets = np.zeros(len(start) + 1, np.int64)
    np.cumsum(stop - start, out=offsets[1:])
    return binary_array(offsets, wire.take(start, stop))


def _values(
    wire: Wire, column: FeatureColumn, features: Fields, unusual: Flags, *, keep_empty: bool = False
) -> tuple[Fields, Ints, Column]:
    """Return the features that have a list, the lengths of the lists, and all values."""
    tag, start, stop = wire.header(features.start)
    lists = Fields(features.owner, tag, start, features.stop)
    lacks = ~_IS_KIND[tag] | (stop != features.stop)  # an empty Feature, or an unusual one
    if lacks.any():
        unusual[features.owner[lacks & (features.start != features.stop)]] = True
        _check_kind(column, features.owner[~lacks], tag[~lacks])
        start = np.where(lacks, features.stop, start)
        lists = Fields(features.owner, tag, start, features.stop)
        lists = lists if keep_empty else lists.of(~lacks)
    else:
        _check_kind(column, features.owner, tag)
    counts, values, odd = _READERS[column.kind](wire, lists.start, lists.stop)
    unusual[lists.owner[odd]] = True
    return lists, counts, _converted(column, lists.owner, counts, values, unusual)


def _check_kind(column: FeatureColumn, owner: Ints, tag: Ints) -> None:
    others = np.flatnonzero(tag != TAGS[column.kind])
    if len(others):
        found = KINDS[int(tag[others[0]])]
        raise BadRecordError(
            owner[others[0]],
            f"its feature {column.name!r} has values of {found}, not of {column.kind}",
            "leave the column out (--keep in a job), or give a schema in which the column has a "
            "type of this kind.",
        )


def _packed(wire: Wire, start: Ints, stop: Ints) -> tuple[Ints, Flags]:
    """Return the first position of the packed values of lists, and which lists are odd."""
    tag, first, last = wire.header(start)
    none = (tag != _VALUE) | (last != stop)
    if not none.any():
        return first, none
    none |= start == stop
    return np.where(none, stop, first), none & (start != stop)


def _floats(wire: Wire, start: Ints, stop: Ints) -> tuple[Ints, Column, Flags]:
    first, odd = _packed(wire, start, stop)
    odd |= (stop - first) & (_FLOAT_BYTES - 1) != 0
    if odd.any():
        first = np.where(odd, stop, first)
    data = wire.take(first, stop)
    buffers = [None, buffer(data)]
    values = pa.Array.from_buffers(pa.float32(), len(data) // _FLOAT_BYTES, buffers)
    return (stop - first) // _FLOAT_BYTES, values, odd


def _integers(wire: Wire, start: Ints, stop: Ints) -> tuple[Ints, Column, Flags]:
    first, odd = _packed(wire, start, stop)
    values, counts, broken = unpacked(wire.take(first, stop), np.cumsum(stop - first))
    return counts, pa.array(values, pa.int64()), odd | broken


def _texts(wire: Wire, start: Ints, stop: Ints) -> tuple[Ints, Column, Flags]:
    fields, odd = wire.split(start, stop)
    odd[fields.owner[fields.tag != _VALUE]] = True
    fields = fields.by_owner()
    counts = np.bincount(fields.owner, minlength=len(start))
    return counts, binary(wire, fields.start, fields.stop), odd


_READERS = {"bytes": _texts, "float": _floats, "int64": _integers}


def _converted(
    column: FeatureColumn, owner: Ints, counts: Ints, values: Column, unusual: Flags
) -> Column:
    """Return values with the type of the column."""
    if column.element == VALUES[column.kind] or unusual.any():
        return values
    try:
        return values.cast(column.element)
    except pa.ArrowInvalid as error:
        at = next(index for index in range(len(values)) if not _converts(column, values, index))
        row = owner[np.searchsorted(np.cumsum(counts), at, side="right")]
        raise BadRecordError(row, f"its feature {column.name!r} does not fit: {error}") from error


def _converts(column: FeatureColumn, values: Column, index: int) -> bool:
    try:
        values[index : index + 1].cast(column.element)
    except pa.ArrowInvalid:
        return False
    return True


def _scalars(
    column: FeatureColumn, owner: Ints, counts: Ints, values: Column, unusual: Flags
) -> Column:
    """Return one value for each record; an empty list is null."""
    rows = len(unusual)
    if len(values) == rows and len(owner) == rows and bool((counts == 1).all()):
        return values
    several = np.flatnonzero(counts > 1)
    if len(several) and not unusual.any():
        raise BadRecordError(
            owner[several[0]],
            f"its feature {column.name!r} has {counts[several[0]]} values, but the column has one",
            "give a schema in which the column is an array.",
        )
    at = np.full(rows, -1, np.int64)
    at[owner[counts == 1]] = (np.cumsum(counts) - 1)[counts == 1]
    return values.take(cast("Column", pa.array(at, mask=at < 0)))


def _lists(list_type: pa.DataType, owner: Ints, counts: Ints, values: Column, rows: int) -> Column:
    """Return one list for each record; a record without a list is null."""
    lengths = np.zeros(rows, np.int64)
    lengths[owner] = counts
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    bitmap = None
    if len(owner) < rows:
        there = np.zeros(rows, np.bool_)
        there[owner] = True
        bitmap = buffer(np.packbits(there, bitorder="little"))
    buffers = [bitmap, buffer(offsets)]
    return pa.Array.from_buffers(list_type, rows, buffers, children=[values])
