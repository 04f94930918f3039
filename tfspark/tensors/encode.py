"""Arrow columns → tensors: the way of the bytes into a model.

In come Arrow arrays of one model batch (several chunks where input batches were joined), out go
NumPy arrays and `ByteStrings`, grouped by row shape where the model leaves dimensions open.

Invariants: numbers without nulls pass as views of Arrow's memory when one chunk holds them, and by
one copy when several are joined; a row with a null at any depth is in no group; a row that does
not fit raises `RowProblem` with its index, and nothing is truncated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.errors import EngineError, explain
from tfspark.schema import InputBinding
from tfspark.signature import TensorSpec, format_shape
from tfspark.tensors.fill import filled
from tfspark.tensors.narrow import numbers
from tfspark.tensors.values import (
    ByteStrings,
    Flags,
    Group,
    RowProblem,
    Rows,
    Tensor,
    to_arrow,
    to_numpy,
)


def encode(
    inputs: Sequence[InputBinding], chunks: Mapping[str, Sequence[dtypes.ArrowArray]]
) -> list[Group]:
    """Turn the fed columns of one batch into tensors.

    Args:
        inputs: The bound inputs.
        chunks: Column name → its arrays, in row order; all columns are chunked alike.

    Returns:
        Groups of rows with equal input shapes, each group in row order. A row with a null in any
        input, at any depth, is in no group, unless a fill stands for it. No group is empty.

    Raises:
        RowProblem: For a row whose length or value does not fit, or with a null that is refused.
        EngineError: When the chunks of a column are too large to be joined.
    """
    columns = {name: _join(name, arrays) for name, arrays in chunks.items()}
    for one in inputs:
        if one.nulls.fill is not None:
            columns |= {name: filled(columns[name], one.nulls.fill) for name in one.columns}
    opened = {name: _Opened.of(array) for name, array in columns.items()}
    _refuse_nulls(inputs, opened)
    nulls = [found for one in opened.values() if (found := one.null_rows()) is not None]
    if not nulls:
        return _groups(inputs, columns, opened, np.arange(len(next(iter(columns.values())))))
    valid = ~np.logical_or.reduce(nulls)
    if not valid.any():
        return []
    mask = to_arrow(valid)
    columns = {name: array.filter(mask) for name, array in columns.items()}
    opened = {name: _Opened.of(array) for name, array in columns.items()}
    return _groups(inputs, columns, opened, np.flatnonzero(valid))


def _refuse_nulls(inputs: Sequence[InputBinding], opened: Mapping[str, _Opened]) -> None:
    for one in inputs:
        for name in one.columns if one.nulls.refuse else ():
            found = opened[name].null_rows()
            if found is not None and found.any():
                raise RowProblem(int(found.argmax()), name, "a null, which on_null refuses")


@dataclass(frozen=True)
class _Opened:
    """A column with its lists opened.

    Attributes:
        elements: What lies below all lists, in order, less what a null list hides.
        lengths: For each level of lists, the length of every list; 0 for a null.
        nulls: For each level and then the elements, which are null; `None` when none is.
    """

    elements: dtypes.ArrowArray
    lengths: tuple[Rows, ...]
    nulls: tuple[Flags | None, ...]

    @classmethod
    def of(cls, array: dtypes.ArrowArray) -> _Opened:
        """Open a column, without a copy unless a null list hides elements."""
        lengths: list[Rows] = []
        nulls = [_nulls(array)]
        while dtypes.is_list(array.type):
            level, array = _open(array, nulls[-1])
            lengths.append(level)
            nulls.append(_nulls(array))
        return cls(array, tuple(lengths), tuple(nulls))

    def null_rows(self) -> Flags | None:
        """Return which rows are null or hold a null at any depth; `None` when none does."""
        found = self.nulls[-1]
        for lengths, nulls in zip(reversed(self.lengths), reversed(self.nulls[:-1]), strict=True):
            if found is None:
                found = nulls
                continue
            holders = np.zeros(len(lengths), dtype=np.bool_)
            holders[np.repeat(np.arange(len(lengths)), lengths)[found]] = True
            found = holders if nulls is None else holders | nulls
        return found

    def shapes(self, column: str) -> Rows:
        """Return the shape of every row, (rows, levels of lists); a ragged row is refused."""
        first, *inner = self.lengths
        if not inner:
            return first[:, None]
        shapes = np.zeros((len(first), len(self.lengths)), dtype=np.int64)
        shapes[:, 0] = first
        owner: Rows = np.arange(len(first))
        for level, lengths in enumerate(inner, start=1):
            owner = np.repeat(owner, self.lengths[level - 1])
            shapes[owner, level] = lengths
            ragged = np.flatnonzero(shapes[owner, level] != lengths)
            if len(ragged):
                row = int(owner[ragged[0]])
                inside = ", ".join(map(str, sorted(set(lengths[owner == row].tolist()))))
                raise RowProblem(row, column, f"its inner lists have different lengths: {inside}")
        return shapes


def _nulls(array: dtypes.ArrowArray) -> Flags | None:
    return to_numpy(array.is_null()) if array.null_count else None


def _open(array: dtypes.ArrowArray, nulls: Flags | None) -> tuple[Rows, dtypes.ArrowArray]:
    """Return the length of every list and the elements of all."""
    lists = cast("pa.ListArray[Any]", array)
    lengths: Rows
    if isinstance(array, pa.FixedSizeListArray):
        lengths = np.full(len(array), array.type.list_size, dtype=np.int64)
        elements: dtypes.ArrowArray = lists.flatten()
    else:
        offsets = to_numpy(lists.offsets)
        lengths = np.diff(offsets).astype(np.int64, copy=False)
        elements = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    if nulls is not None:
        lengths[nulls] = 0
        elements = lists.flatten()
    return lengths, elements


def _join(column: str, arrays: Sequence[dtypes.ArrowArray]) -> dtypes.ArrowArray:
    if len(arrays) == 1:
        return arrays[0]
    try:
        return pa.concat_arrays(arrays)
    except pa.ArrowInvalid as error:  # the offsets of Spark's strings and lists have 32 bits
        problem = f"The rows of one model batch are too large in column {column!r}."
        hint = "give a smaller batch_size."
        raise EngineError(explain(problem, found=str(error), hint=hint)) from error


def _groups(
    inputs: Sequence[InputBinding],
    columns: Mapping[str, dtypes.ArrowArray],
    opened: Mapping[str, _Opened],
    rows: Rows,
) -> list[Group]:
    try:
        shapes = [_row_shapes(one, opened) for one in inputs]
    except RowProblem as problem:
        raise problem.among(rows) from None
    if all(shape.ndim == 1 or (shape == shape[0]).all() for shape in shapes):
        return [_group(inputs, opened, shapes, 0, rows)]
    groups = []
    for members in _equal_rows([shape for shape in shapes if shape.ndim == 2]):
        indices = to_arrow(members)
        part = {name: _Opened.of(array.take(indices)) for name, array in columns.items()}
        groups.append(_group(inputs, part, shapes, int(members[0]), rows[members]))
    return groups


def _equal_rows(shapes: Sequence[Rows]) -> Iterator[Rows]:
    """Yield the indices of rows whose shapes are equal."""
    every = np.concatenate(shapes, axis=1)
    _, inverse = np.unique(every, axis=0, return_inverse=True)
    inverse = inverse.reshape(len(every))  # NumPy 2.0 returned another shape
    for group in range(int(inverse.max()) + 1):
        yield np.flatnonzero(inverse == group)


def _group(
    inputs: Sequence[InputBinding],
    opened: Mapping[str, _Opened],
    shapes: Sequence[Rows],
    first: int,
    rows: Rows,
) -> Group:
    """Build the tensors of rows that all have the shapes of the row `first`."""
    tensors: dict[str, Tensor] = {}
    try:
        for one, shape in zip(inputs, shapes, strict=True):
            row_shape = shape[first] if shape.ndim == 2 else shape
            tensors[one.spec.name] = _tensor(one, opened, (len(rows), *row_shape.tolist()))
    except RowProblem as problem:
        raise problem.among(rows) from None
    return Group(rows, tensors)


def _row_shapes(one: InputBinding, opened: Mapping[str, _Opened]) -> Rows:
    """Return the shape that rows take: one shape for all (1-D), or one per row (2-D).

    Raises:
        RowProblem: For a row that is ragged or does not fit the spec.
    """
    wanted = one.spec.row_shape
    size = one.spec.row_size
    if one.is_stacked:
        return np.array((len(one.columns),) if size is None else wanted, dtype=np.int64)
    column = one.columns[0]
    depth = len(opened[column].lengths)
    if depth == 0:  # also the only column of a stack, whose length is then open
        return np.ones(len(wanted or ()), dtype=np.int64)
    if wanted is not None and depth == 1 and len(wanted) > 1:
        _check_lengths(opened[column].lengths[0][:, None], (size,), one.spec, column)
        return np.array(wanted, dtype=np.int64)
    shapes = opened[column].shapes(column)
    if wanted is None:
        return shapes
    _check_lengths(shapes, wanted, one.spec, column)
    if size is not None:
        return np.array(wanted, dtype=np.int64)
    for axis, known in enumerate(wanted):
        if known is not None:  # an empty outer list has no inner one to show it
            shapes[:, axis] = known
    return shapes


def _check_lengths(
    shapes: Rows, wanted: Sequence[int | None], spec: TensorSpec, column: str
) -> None:
    for axis, size in enumerate(wanted):
        wrong = shapes[:, axis] != size
        if size is None or not wrong.any():
            continue
        # An empty outer list has no inner lists to measure: it already failed, or is rightly empty.
        bad = np.flatnonzero(wrong & (shapes[:, :axis] != 0).all(axis=1))
        if len(bad):
            row = int(bad[0])
            found = format_shape(tuple(shapes[row].tolist()))
            expected = format_shape(spec.row_shape or ())
            raise RowProblem(row, column, f"expected a row of shape {expected}, found {found}")


def _tensor(one: InputBinding, opened: Mapping[str, _Opened], shape: tuple[int, ...]) -> Tensor:
    """Build one input's tensor from rows of one shape."""
    elements = [opened[name].elements for name in one.columns]
    if one.is_stacked:
        return _stack(one, elements, shape)
    if dtypes.by_name(one.spec.dtype).is_string:
        return ByteStrings(_as_binary(elements[0]), shape)
    return numbers(elements[0], one, one.columns[0], prod(shape[1:])).reshape(shape)


def _stack(
    one: InputBinding, arrays: Sequence[dtypes.ArrowArray], shape: tuple[int, ...]
) -> Tensor:
    """Interleave scalar columns into one tensor, column by column."""
    rows, width = len(arrays[0]), len(arrays)
    if dtypes.by_name(one.spec.dtype).is_string:
        large = any(dtypes.is_large_bytes(array.type) for array in arrays)
        kind = pa.large_binary() if large else pa.binary()
        joined = pa.concat_arrays([_as_binary(array).cast(kind) for array in arrays])
        order = np.arange(rows * width).reshape(width, rows).T.ravel()
        return ByteStrings(joined.take(to_arrow(order)), shape)
    out = np.empty((rows, width), dtype=dtypes.by_name(one.spec.dtype).numpy)
    for position, (array, name) in enumerate(zip(arrays, one.columns, strict=True)):
        out[:, position] = numbers(array, one, name, 1)
    return out.reshape(shape)


def _as_binary(array: dtypes.ArrowArray) -> dtypes.ArrowArray:
    """Return strings as bytes; the same buffers under another type."""
    return array.view(pa.large_binary() if dtypes.is_large_bytes(array.type) else pa.binary())
