"""Builds the serialized Examples that feed an input from columns of features. Executor.

A batch is built by a few calls of Arrow for each feature, with the writer of TFRecord files. There
is no Python object for each row.

A null is a missing feature. A row is null if all its features are null, or if one of its arrays
contains a null, because a list of an Example has no nulls. Numbers are converted to the type of
their feature like those of any input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.features import key_of
from tfspark.feeding import InputBinding
from tfspark.tensors.fill import filled
from tfspark.tensors.lists import Opened
from tfspark.tensors.narrow import numbers
from tfspark.tensors.nulls import refuse_nulls
from tfspark.tensors.shapes import row_shapes
from tfspark.tensors.values import Flags, RowProblem, Rows, as_binary, to_arrow, to_numpy
from tfspark.terms import Terms

if TYPE_CHECKING:
    from tfspark.tfrecord.columns import Kind

Arrays: TypeAlias = Mapping[str, dtypes.ArrowArray]

_KINDS: Mapping[str, Kind] = {"float32": "float", "int64": "int64", "string": "bytes"}


def with_examples(
    inputs: Sequence[InputBinding], columns: Arrays, terms: Terms
) -> tuple[Sequence[InputBinding], Arrays]:
    """Replace the features that feed an input by a column of serialized Examples.

    Args:
        inputs: The bound inputs.
        columns: The fed columns, by name, of equal length.
        terms: How the caller spells options.

    Returns:
        Inputs without features, and the columns that feed them.

    Raises:
        RowProblem: For rows with a value that does not fit, or with a null that is refused.
    """
    if not any(bound.features for bound in inputs):
        return inputs, columns
    fed: list[InputBinding] = []
    made = dict(columns)
    for bound in inputs:
        if not bound.features:
            fed.append(bound)
            continue
        name = f"Examples of {bound.spec.name}"
        while name in made:
            name += " of features"
        made[name] = _examples(bound, columns, terms)
        fed.append(replace(bound, columns=(name,), features=()))
    return fed, made


def _examples(bound: InputBinding, columns: Arrays, terms: Terms) -> dtypes.ArrowArray:
    """Return one serialized Example for each row, or null."""
    arrays = [_filled(one, columns[one.columns[0]]) for one in bound.features]
    is_null = _null_rows(bound.features, arrays, terms)
    rows = np.flatnonzero(~is_null)
    if len(rows) == len(is_null):
        return _serialized(bound, arrays)
    indices = to_arrow(rows)
    try:
        records = _serialized(bound, [array.take(indices) for array in arrays])
    except RowProblem as problem:
        raise problem.among(rows) from None
    return _spread(records, rows, len(is_null))


def _filled(feature: InputBinding, array: dtypes.ArrowArray) -> dtypes.ArrowArray:
    fill = feature.nulls.fill
    return array if fill is None else filled(array, fill)


def _null_rows(
    features: Sequence[InputBinding], arrays: Sequence[dtypes.ArrowArray], terms: Terms
) -> Flags:
    """Return which rows have no Example; refuse rows with a null where a null is refused."""
    is_empty = np.ones(len(arrays[0]), dtype=np.bool_)
    has_null_inside = np.zeros(len(arrays[0]), dtype=np.bool_)
    for feature, array in zip(features, arrays, strict=True):
        opened = Opened.of(array)
        found, absent = opened.null_rows(), opened.nulls[0]
        if feature.nulls.refuse:
            refuse_nulls(found, feature.columns[0], terms)
        is_absent = np.zeros(len(array), dtype=np.bool_) if absent is None else absent
        is_empty &= is_absent
        if found is not None:
            has_null_inside |= found & ~is_absent
    return is_empty | has_null_inside


def _serialized(bound: InputBinding, arrays: Sequence[dtypes.ArrowArray]) -> dtypes.ArrowArray:
    """Return the Example of each row; no array contains a null inside its lists."""
    # Only models that take Examples need this code.
    from tfspark.tfrecord.columns import FeatureColumn
    from tfspark.tfrecord.encode import encode

    if not len(arrays[0]):
        return pa.nulls(0, pa.binary())
    values = [_values(*pair) for pair in zip(bound.features, arrays, strict=True)]
    prefix = key_of(bound.spec.name, "")
    columns = [
        FeatureColumn(
            one.spec.name.removeprefix(prefix),
            _KINDS[one.spec.dtype],
            int(dtypes.is_list(array.type)),
            array.type,
        )
        for one, array in zip(bound.features, values, strict=True)
    ]
    return encode(values, columns, "Example")


def _values(feature: InputBinding, array: dtypes.ArrowArray) -> dtypes.ArrowArray:
    """Return the values of a feature in its type, in lists if the column has arrays."""
    rows = np.flatnonzero(to_numpy(array.is_valid()))
    opened = Opened.of(array.drop_null() if array.null_count else array)
    try:
        row_shapes(feature, (opened,))
        counts = _counts(opened)
        values = _converted(feature, opened.elements, counts)
    except RowProblem as problem:
        raise problem.among(rows) from None
    if not opened.lengths:
        return values if len(rows) == len(array) else _spread(values, rows, len(array))
    lengths = np.zeros(len(array), dtype=np.int64)
    lengths[rows] = counts
    offsets = np.zeros(len(array) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    starts: Any = to_arrow(offsets)
    mask: Any = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(starts, values, mask=mask)


def _counts(opened: Opened) -> Rows:
    """Return the number of elements of each row."""
    if not opened.lengths:
        return np.ones(len(opened.elements), dtype=np.int64)
    *outer, counts = opened.lengths
    for lengths in reversed(outer):
        ends = np.concatenate([[0], np.cumsum(counts)])
        stops = np.cumsum(lengths)
        counts = ends[stops] - ends[stops - lengths]
    return counts


def _converted(
    feature: InputBinding, elements: dtypes.ArrowArray, counts: Rows
) -> dtypes.ArrowArray:
    """Return elements in the type of a feature."""
    if feature.spec.dtype == "string":
        return as_binary(elements).cast(pa.binary())
    try:
        return to_arrow(numbers(elements, feature, feature.columns[0], 1))
    except RowProblem as problem:
        raise problem.among(np.repeat(np.arange(len(counts)), counts)) from None


def _spread(array: dtypes.ArrowArray, rows: Rows, count: int) -> dtypes.ArrowArray:
    """Return an array of some rows as an array of all rows, with nulls in the others."""
    position = np.full(count, -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    return array.take(to_arrow(position, position >= 0))
