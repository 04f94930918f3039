"""RecordBatch columns ↔ tensors: the way of the bytes in and out of a model.

In come Arrow arrays of one model batch (several chunks where input batches were joined), out go NumPy
arrays and `ByteStrings`, grouped by row shape where the model leaves dimensions open; and back. Runs
on executors; no TensorFlow, no Spark, no pandas.

Invariants: numbers without nulls pass as views of Arrow's memory when one chunk holds them, and by
one copy when several are joined; fed arrays are read-only and keep their Arrow owner alive; a value
or row that does not fit raises `RowProblem` with its index, and nothing is truncated or wrapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tfspark import dtypes
from tfspark.schema import InputBinding, OutputBinding
from tfspark.signature import TensorSpec, format_shape

Array: TypeAlias = npt.NDArray[Any]
Rows: TypeAlias = npt.NDArray[np.int64]


class RowProblem(Exception):  # noqa: N818 - becomes a RowError once the runner knows model and row
    """A row of the batch at hand that cannot be fed or returned."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        super().__init__(row, column, problem)
        self.row = row
        self.column = column
        self.problem = problem


@dataclass(frozen=True)
class ByteStrings:
    """A tensor of byte strings that stays in Arrow's memory: no Python object per element.

    Attributes:
        values: All elements in row-major order, without nulls; binary or large_binary.
        shape: The tensor's shape.
    """

    values: pa.Array
    shape: tuple[int, ...]

    @classmethod
    def from_objects(cls, array: Array) -> ByteStrings:
        """Take a NumPy object array of bytes, as TensorFlow's Python API returns it."""
        return cls(pa.array(array.ravel().tolist(), pa.large_binary()), array.shape)

    def to_objects(self) -> Array:
        """Return a NumPy object array of bytes, as TensorFlow's Python API takes it."""
        flat = np.empty(len(self.values), dtype=object)
        flat[:] = self.values.to_pylist()
        return flat.reshape(self.shape)


Tensor: TypeAlias = Array | ByteStrings


@dataclass(frozen=True)
class Group:
    """Rows of one batch whose inputs have the same shapes, ready to feed together."""

    rows: Rows
    inputs: dict[str, Tensor]

    def slice(self, start: int, stop: int) -> Group:
        """Return the rows from `start` up to `stop`; no bytes are copied."""
        return Group(
            self.rows[start:stop],
            {name: slice_rows(tensor, start, stop) for name, tensor in self.inputs.items()},
        )


def slice_rows(tensor: Tensor, start: int, stop: int) -> Tensor:
    """Return rows of a tensor as a view."""
    if isinstance(tensor, ByteStrings):
        width = int(np.prod(tensor.shape[1:], dtype=np.int64))
        values = tensor.values.slice(start * width, (stop - start) * width)
        return ByteStrings(values, (stop - start, *tensor.shape[1:]))
    return tensor[start:stop]


def pad_rows(tensor: Tensor, rows: int) -> Tensor:
    """Return the tensor with its last row repeated until it has `rows` rows."""
    indices = np.minimum(np.arange(rows), tensor.shape[0] - 1)
    if isinstance(tensor, ByteStrings):
        width = int(np.prod(tensor.shape[1:], dtype=np.int64))
        elements = (indices[:, None] * width + np.arange(width)).ravel()
        return ByteStrings(tensor.values.take(pa.array(elements)), (rows, *tensor.shape[1:]))
    return tensor[indices]


def encode(inputs: Sequence[InputBinding], chunks: Mapping[str, Sequence[pa.Array]]) -> list[Group]:
    """Turn the fed columns of one batch into tensors.

    Args:
        inputs: The bound inputs.
        chunks: Column name → its arrays, in row order; all columns are chunked alike.

    Returns:
        Groups of rows with equal input shapes, each group in row order. A row with a null in any
        input, at any depth, is in no group. No group is empty.

    Raises:
        RowProblem: For the first row whose length or value does not fit.
    """
    columns = {name: _join(arrays) for name, arrays in chunks.items()}
    valid = _valid_rows(columns.values())
    rows: Rows = np.arange(len(next(iter(columns.values()))))
    if valid is not None:
        rows = np.flatnonzero(valid)
        mask = pa.array(valid)
        columns = {name: array.filter(mask) for name, array in columns.items()}
    if not len(rows):
        return []
    try:
        return list(_groups(inputs, columns, rows))
    except RowProblem as problem:
        raise RowProblem(int(rows[problem.row]), problem.column, problem.problem) from None


def _groups(
    inputs: Sequence[InputBinding], columns: Mapping[str, pa.Array], rows: Rows
) -> Iterator[Group]:
    shapes = [_row_shapes(one, columns) for one in inputs]
    for members in _equal_rows([shape for shape in shapes if shape.ndim == 2], len(rows)):
        tensors = {}
        for one, shape in zip(inputs, shapes, strict=True):
            first = 0 if members is None else members[0]
            row_shape = tuple(int(size) for size in (shape[first] if shape.ndim == 2 else shape))
            tensors[one.spec.name] = _tensor(one, columns, members, row_shape)
        yield Group(rows if members is None else rows[members], tensors)


def _equal_rows(shapes: list[Rows], count: int) -> Iterator[Rows | None]:
    """Yield the indices of rows with equal shapes; one `None` stands for all rows."""
    if not shapes:
        yield None
        return
    _, inverse = np.unique(np.concatenate(shapes, axis=1), axis=0, return_inverse=True)
    inverse = inverse.reshape(count)
    if not inverse.any():
        yield None
        return
    for group in range(int(inverse.max()) + 1):
        yield np.flatnonzero(inverse == group)


def _join(arrays: Sequence[pa.Array]) -> pa.Array:
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _valid_rows(columns: Iterator[pa.Array] | Any) -> npt.NDArray[np.bool_] | None:
    """Return which rows hold no null at any depth; `None` when all do."""
    valid: npt.NDArray[np.bool_] | None = None
    for array in columns:
        nulls = _null_rows(array)
        if nulls is not None:
            valid = ~nulls if valid is None else valid & ~nulls
    return valid


def _null_rows(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Return which rows are null or hold a null element; `None` when none does."""
    nulls: npt.NDArray[np.bool_] | None = None
    if array.null_count:
        nulls = array.is_null().to_numpy(zero_copy_only=False)
    if dtypes.is_list(array.type):
        inner = _null_rows(_children(array))
        if inner is not None:
            lengths = _lengths(array)
            owner = np.repeat(np.arange(len(array)), lengths)
            holders = np.zeros(len(array), dtype=np.bool_)
            holders[owner[inner]] = True
            nulls = holders if nulls is None else nulls | holders
    return nulls


def _children(array: pa.Array) -> pa.Array:
    """Return the elements of all lists, in order; without a copy unless a null list hides some."""
    return array.flatten()


def _lengths(array: pa.Array) -> Rows:
    """Return the number of elements of each list; 0 for a null list."""
    lengths = pc.list_value_length(array)
    if lengths.null_count:
        lengths = lengths.fill_null(0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)


def _row_shapes(one: InputBinding, columns: Mapping[str, pa.Array]) -> Rows:
    """Return the shape that rows take: one shape for all (1-D), or one per row (2-D).

    Raises:
        RowProblem: For the first row that is ragged or does not fit the spec.
    """
    wanted = one.spec.row_shape
    if one.is_stacked:
        fixed = wanted if wanted is not None and None not in wanted else (len(one.columns),)
        return np.array(fixed, dtype=np.int64)
    column = one.columns[0]
    array = columns[column]
    _, depth = dtypes.element_of(array.type)
    if depth == 0:
        return np.array(wanted or (), dtype=np.int64)
    if depth == 1 and wanted is not None and len(wanted) > 1:
        _check_lengths(_lengths(array)[:, None], (one.spec.row_size,), one.spec, column)
        return np.array(wanted, dtype=np.int64)
    shapes = _measure(array, depth, column)
    if wanted is not None:
        _check_lengths(shapes, wanted, one.spec, column)
        if None not in wanted:
            return np.array(wanted, dtype=np.int64)
    return shapes


def _measure(array: pa.Array, depth: int, column: str) -> Rows:
    """Return the shape of each row's nested lists, (rows, depth); rows must not be ragged inside."""
    count = len(array)
    shapes = np.zeros((count, depth), dtype=np.int64)
    owner: Rows = np.arange(count)
    for level in range(depth):
        lengths = _lengths(array)
        shapes[owner, level] = lengths
        ragged = np.flatnonzero(shapes[owner, level] != lengths)
        if len(ragged):
            row = int(owner[ragged].min())
            inside = sorted(set(lengths[owner == row].tolist()))
            raise RowProblem(row, column, f"its inner lists have different lengths {inside}")
        if level + 1 < depth:
            owner = np.repeat(owner, lengths)
            array = _children(array)
    return shapes


def _check_lengths(shapes: Rows, wanted: Sequence[int | None], spec: TensorSpec, column: str) -> None:
    for axis, size in enumerate(wanted):
        if size is None:
            continue
        # An empty outer list has no inner lists to measure: it already failed, or is rightly empty.
        bad = np.flatnonzero((shapes[:, axis] != size) & (shapes[:, :axis] != 0).all(axis=1))
        if len(bad):
            row = int(bad[0])
            found = format_shape(tuple(shapes[row].tolist()))
            expected = format_shape(spec.row_shape or ())
            raise RowProblem(row, column, f"expected a row of shape {expected}, found {found}")


def _tensor(
    one: InputBinding, columns: Mapping[str, pa.Array], members: Rows | None, row_shape: tuple[int, ...]
) -> Tensor:
    """Build one input's tensor from the rows of one group."""
    arrays = [columns[name] for name in one.columns]
    if members is not None:
        picked = pa.array(members)
        arrays = [array.take(picked) for array in arrays]
    shape = (len(arrays[0]), *row_shape)
    if one.is_stacked:
        return _stack(one, arrays, shape)
    array = arrays[0]
    while dtypes.is_list(array.type):
        array = _children(array)
    width = len(array) // max(shape[0], 1)
    if dtypes.by_name(one.spec.dtype).is_string:
        return ByteStrings(_as_binary(array), shape)
    return _numbers(array, one, one.columns[0], width).reshape(shape)


def _stack(one: InputBinding, arrays: Sequence[pa.Array], shape: tuple[int, ...]) -> Tensor:
    """Interleave scalar columns into one tensor, column by column."""
    rows, width = len(arrays[0]), len(arrays)
    if dtypes.by_name(one.spec.dtype).is_string:
        joined = pa.concat_arrays([_as_binary(array) for array in arrays])
        order = np.arange(rows * width).reshape(width, rows).T.ravel()
        return ByteStrings(joined.take(pa.array(order)), shape)
    out = np.empty((rows, width), dtype=dtypes.by_name(one.spec.dtype).numpy)
    for position, (array, name) in enumerate(zip(arrays, one.columns, strict=True)):
        out[:, position] = _numbers(array, one, name, 1)
    return out.reshape(shape)


def _as_binary(array: pa.Array) -> pa.Array:
    """Return strings as bytes; the same buffers under another type."""
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    return array.view(pa.large_binary() if large else pa.binary())


def _numbers(array: pa.Array, one: InputBinding, column: str, width: int) -> Array:
    """Return numbers in the input's type; `width` is the number of elements per row."""
    target = np.dtype(dtypes.by_name(one.spec.dtype).numpy)
    source = array.to_numpy(zero_copy_only=False)
    how = dtypes.conversion(array.type, dtypes.by_name(one.spec.dtype))
    if how != "narrow":
        return source.astype(target, copy=False)
    return _narrow(source, target, column, width)


def _narrow(source: Array, target: np.dtype[Any], column: str, width: int) -> Array:
    """Convert numbers that may not fit, and raise for the first that does not.

    Rounding to a shorter float is what was asked for; an overflow, a fraction or NaN made integer, or
    a wrapped integer is not.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        result = source.astype(target)
        if target.kind == "f":
            bad = np.isinf(result) & ~np.isinf(source) if source.dtype.kind == "f" else np.isinf(result)
        else:
            info = np.iinfo(target)
            bad = (source < info.min) | (source > info.max) | (result.astype(source.dtype) != source)
            if source.dtype.kind == "f":
                # The float nearest to the largest integer may lie just above it and wrap.
                bad |= source >= float(info.max) + 1.0
    wrong = np.flatnonzero(bad)
    if len(wrong):
        index = int(wrong[0])
        raise RowProblem(index // max(width, 1), column, f"{source[index]!r} does not fit {target.name}")
    return result


def decode(tensor: Tensor, output: OutputBinding) -> pa.Array:
    """Turn one output tensor into an array of the bound column type.

    Args:
        tensor: (rows, …) as the engine returned it.
        output: The binding; a row shape of (1,) becomes a scalar.

    Returns:
        An array of `output.arrow` with one element per row.

    Raises:
        RowProblem: For the first string that is not valid UTF-8.
    """
    element, depth = dtypes.element_of(output.arrow)
    values = _elements(tensor, element, output)
    for size in reversed(tensor.shape[1 : 1 + depth]):
        count = len(values) // size if size else 0
        values = _lists(values, count, size)
    if depth and 0 in tensor.shape[1 : 1 + depth]:
        return pa.array(_empty_rows(tensor.shape), output.arrow)
    return values


def _elements(tensor: Tensor, element: pa.DataType, output: OutputBinding) -> pa.Array:
    if isinstance(tensor, ByteStrings):
        return _strings(tensor, element, output)
    flat = np.ascontiguousarray(tensor).reshape(-1)
    wanted = dtypes.numpy_type(element)
    return pa.array(flat if wanted is None else flat.astype(wanted, copy=False), element)


def _strings(tensor: ByteStrings, element: pa.DataType, output: OutputBinding) -> pa.Array:
    try:
        return tensor.values.cast(element)
    except pa.ArrowInvalid:
        width = max(int(np.prod(tensor.shape[1:], dtype=np.int64)), 1)
        for index, value in enumerate(tensor.values.to_pylist()):
            try:
                value.decode()
            except UnicodeDecodeError:
                problem = f"output bytes {value[:20]!r} are not UTF-8; return them with strings='binary'"
                raise RowProblem(index // width, output.column, problem) from None
        raise


def _lists(values: pa.Array, count: int, size: int) -> pa.Array:
    offsets = np.arange(count + 1, dtype=np.int64) * size
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values)


def _empty_rows(shape: tuple[int, ...]) -> list[Any]:
    """Return nested empty lists, for the rare output with a dimension of 0."""
    return np.empty(shape, dtype=object).tolist()  # type: ignore[no-any-return]
