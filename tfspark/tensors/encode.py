"""Converts Arrow columns to input tensors. Executor.

The Arrow arrays of one model batch become NumPy arrays and `ByteStrings`. A column has several
chunks if the batch has rows of several record batches. Rows are grouped by shape if the model has
open dimensions, and by value if a column feeds a scalar input.

Invariants: numbers without nulls in one chunk are views of Arrow's memory, several chunks are
copied once; a row with a null at any depth is in no group; rows that do not fit raise `RowProblem`
with their indices, and nothing is truncated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from tfspark import aligned, dtypes
from tfspark.errors import EngineError, explain
from tfspark.feeding import InputBinding
from tfspark.tensors.constant import constant_tensor
from tfspark.tensors.examples import with_examples
from tfspark.tensors.fill import filled
from tfspark.tensors.lists import Opened
from tfspark.tensors.narrow import numbers
from tfspark.tensors.nulls import refuse_nulls
from tfspark.tensors.shapes import row_shapes
from tfspark.tensors.structs import as_arrays, as_bytes, with_image_hint
from tfspark.tensors.values import (
    ByteStrings,
    Group,
    RowProblem,
    Rows,
    Tensor,
    as_binary,
    to_arrow,
    to_numpy,
)
from tfspark.terms import PYTHON, Terms

# A column, and whether an input reads its bytes as numbers; another may read them as strings.
Source: TypeAlias = tuple[str, bool]
Arrays: TypeAlias = Mapping[Source, dtypes.ArrowArray]


def encode(
    inputs: Sequence[InputBinding],
    chunks: Mapping[str, Sequence[dtypes.ArrowArray]],
    terms: Terms = PYTHON,
) -> list[Group]:
    """Convert the fed columns of one batch to tensors.

    Args:
        inputs: The bound inputs.
        chunks: Column name → its arrays, in row order; all columns have chunks of equal lengths.
        terms: How the caller spells options.

    Returns:
        Groups of rows with equal input shapes, each group in row order. A row with a null in any
        input, at any depth, is in no group, unless a fill replaces the null; for features, see
        `examples`. No group is empty.

    Raises:
        RowProblem: For rows with a wrong length or value, or with a null that is refused.
        EngineError: When the chunks of a column are too large to be joined.
    """
    joined = {name: as_arrays(_join(name, arrays), name) for name, arrays in chunks.items()}
    inputs, fed = with_examples(inputs, joined, terms)
    columns = _read(inputs, fed)
    opened = {source: Opened.of(array) for source, array in columns.items()}
    _refuse_nulls(inputs, opened, terms)
    nulls = [found for column in opened.values() if (found := column.null_rows()) is not None]
    if not nulls:
        return _groups(inputs, columns, opened, np.arange(len(next(iter(columns.values())))))
    valid = ~np.logical_or.reduce(nulls)
    if not valid.any():
        return []
    mask = to_arrow(valid)
    columns = {source: array.filter(mask) for source, array in columns.items()}
    opened = {source: Opened.of(array) for source, array in columns.items()}
    return _groups(inputs, columns, opened, np.flatnonzero(valid))


def _read(
    inputs: Sequence[InputBinding], joined: Mapping[str, dtypes.ArrowArray]
) -> dict[Source, dtypes.ArrowArray]:
    """Convert each column for its inputs, and fill its nulls."""
    columns: dict[Source, dtypes.ArrowArray] = {}
    for bound in inputs:
        is_number = not dtypes.by_name(bound.spec.dtype).is_string
        for name in bound.columns:
            array = joined[name]
            if is_number and dtypes.is_bytes(array.type):
                columns[name, True] = as_bytes(array)
            elif bound.nulls.fill is not None:
                columns[name, False] = filled(array, bound.nulls.fill)
            else:
                columns[name, False] = array
    return columns


def _refuse_nulls(
    inputs: Sequence[InputBinding], opened: Mapping[Source, Opened], terms: Terms
) -> None:
    for bound in inputs:
        for column, reading in opened if bound.nulls.refuse else ():
            if column in bound.columns:
                refuse_nulls(opened[column, reading].null_rows(), column, terms)


def _join(column: str, arrays: Sequence[dtypes.ArrowArray]) -> dtypes.ArrowArray:
    if len(arrays) == 1:
        return arrays[0]
    try:
        return pa.concat_arrays(arrays)
    except pa.ArrowInvalid as error:  # the offsets of Spark's strings and lists have 32 bits
        problem = f"The rows of one model batch are too large in column {column!r}."
        hint = "give a smaller batch_size (--batch-size)."
        raise EngineError(explain(problem, found=str(error), hint=hint)) from error


def _groups(
    inputs: Sequence[InputBinding],
    columns: Arrays,
    opened: Mapping[Source, Opened],
    rows: Rows,
) -> list[Group]:
    fed = [_Fed.of(bound, opened) for bound in inputs]
    try:
        shapes = [fed_input.row_shapes() for fed_input in fed]
        keys = [key for fed_input in fed if (key := fed_input.scalar_key()) is not None]
    except RowProblem as problem:
        raise problem.among(rows) from None
    differing = [shape for shape in (*shapes, *keys) if shape.ndim == 2]
    if all((shape == shape[0]).all() for shape in differing):
        return [_group(fed, shapes, 0, rows)]
    groups, problems = [], []
    for members in _equal_rows(differing):
        indices = to_arrow(members)
        part = {source: Opened.of(array.take(indices)) for source, array in columns.items()}
        some = [_Fed.of(bound, part) for bound in inputs]
        try:
            groups.append(_group(some, shapes, int(members[0]), rows[members]))
        except RowProblem as problem:
            problems.append(problem)
    if problems:
        raise RowProblem.joined(problems)
    return groups


def _equal_rows(shapes: Sequence[Rows]) -> Iterator[Rows]:
    """Yield the indices of rows whose shapes, and values of scalar inputs, are equal."""
    every = np.concatenate(shapes, axis=1)
    _, inverse = np.unique(every, axis=0, return_inverse=True)
    inverse = inverse.reshape(len(every))  # NumPy 2.0 returned another shape
    for group in range(int(inverse.max()) + 1):
        yield np.flatnonzero(inverse == group)


def _group(fed: Sequence[_Fed], shapes: Sequence[Rows], first: int, rows: Rows) -> Group:
    """Build the tensors of rows that all have the shapes of the row `first`."""
    tensors: dict[str, Tensor] = {}
    try:
        for fed_input, shape in zip(fed, shapes, strict=True):
            row_shape = shape[first] if shape.ndim == 2 else shape
            tensors[fed_input.bound.spec.name] = fed_input.tensor(len(rows), row_shape.tolist())
    except RowProblem as problem:
        raise problem.among(rows) from None
    return Group(rows, tensors)


@dataclass(frozen=True)
class _Fed:
    """An input with the opened columns that feed it."""

    bound: InputBinding
    columns: tuple[Opened, ...]

    @classmethod
    def of(cls, bound: InputBinding, opened: Mapping[Source, Opened]) -> _Fed:
        if dtypes.by_name(bound.spec.dtype).is_string:
            return cls(bound, tuple(opened[name, False] for name in bound.columns))
        sources = ((name, (name, True) in opened) for name in bound.columns)
        return cls(bound, tuple(opened[source] for source in sources))

    @property
    def is_scalar(self) -> bool:
        """Whether a column feeds an input that has no batch dimension."""
        return self.bound.spec.shape == () and self.bound.constant is None

    def row_shapes(self) -> Rows:
        try:
            return row_shapes(self.bound, self.columns)
        except RowProblem as problem:
            raise with_image_hint(problem, self.columns[0]) from None

    def scalar_key(self) -> Rows | None:
        """Return a number for each row; rows with equal numbers have the same scalar value."""
        if not self.is_scalar:
            return None
        elements = self.columns[0].elements
        if dtypes.is_bytes(elements.type):
            codes: Any = elements
            return to_numpy(codes.dictionary_encode().indices).astype(np.int64)[:, None]
        values = numbers(elements, self.bound, self.bound.columns[0], 1)
        bits = values.view(f"u{values.dtype.itemsize}")  # bits, because NaN != NaN
        return np.unique(bits, return_inverse=True)[1].reshape(-1, 1).astype(np.int64)

    def tensor(self, rows: int, row_shape: Sequence[int]) -> Tensor:
        """Build the input's tensor from rows of one shape."""
        bound, elements = self.bound, [column.elements for column in self.columns]
        if bound.constant is not None:
            return constant_tensor(bound.constant, bound.spec, rows)
        shape = () if self.is_scalar else (rows, *row_shape)
        if self.is_scalar:
            elements = [elements[0].slice(0, 1)]
        if bound.is_stacked:
            return _stack(bound, elements, shape)
        if dtypes.by_name(bound.spec.dtype).is_string:
            return ByteStrings(as_binary(elements[0]), shape)
        width = prod(row_shape)
        return numbers(elements[0], bound, bound.columns[0], width).reshape(shape)


def _stack(
    bound: InputBinding, arrays: Sequence[dtypes.ArrowArray], shape: tuple[int, ...]
) -> Tensor:
    """Interleave scalar columns into one tensor, column by column."""
    rows, width = len(arrays[0]), len(arrays)
    if dtypes.by_name(bound.spec.dtype).is_string:
        large = any(dtypes.is_large_bytes(array.type) for array in arrays)
        kind = pa.large_binary() if large else pa.binary()
        joined = pa.concat_arrays([as_binary(array).cast(kind) for array in arrays])
        order = np.arange(rows * width).reshape(width, rows).T.ravel()
        return ByteStrings(joined.take(to_arrow(order)), shape)
    # Columns are first written one below the other. Writing each column directly into the rows
    # would touch all the memory once per column.
    columns = np.empty((width, rows), dtypes.by_name(bound.spec.dtype).numpy)
    for position, (array, name) in enumerate(zip(arrays, bound.columns, strict=True)):
        columns[position] = numbers(array, bound, name, 1)
    return aligned.copy(columns.T).reshape(shape)
