"""Finds the shape of every row of an input, and checks it against the signature. Executor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfspark.feeding import InputBinding
from tfspark.rows import Reason
from tfspark.signature import TensorSpec, format_shape
from tfspark.tensors.lists import Opened
from tfspark.tensors.values import RowProblem, Rows


def row_shapes(bound: InputBinding, columns: Sequence[Opened]) -> Rows:
    """Return the shapes of the rows: one shape for all rows (1-D), or one for each (2-D).

    Args:
        bound: The input.
        columns: The opened columns that feed it; empty for a constant.

    Raises:
        RowProblem: For a row that is ragged or does not fit the spec.
    """
    wanted = bound.spec.row_shape
    size = bound.spec.row_size
    if not columns:
        return np.zeros(0, dtype=np.int64)
    if bound.is_stacked:
        return np.array((len(bound.columns),) if size is None else wanted, dtype=np.int64)
    column, (name, *_) = columns[0], bound.columns
    depth = len(column.lengths)
    if depth == 0:  # also the only column of a stack, whose length is then open
        rank = int(bound.is_vector_of_one) if wanted is None else len(wanted)
        return np.ones(rank, dtype=np.int64)
    if wanted is not None and depth == 1 and len(wanted) > 1:
        _check_lengths(column.lengths[0][:, None], (size,), bound.spec, name)
        return np.array(wanted, dtype=np.int64)
    shapes = column.shapes(name)
    if wanted is None:
        return shapes
    _check_lengths(shapes, wanted, bound.spec, name)
    if size is not None:
        return np.array(wanted, dtype=np.int64)
    for axis, known in enumerate(wanted):
        if known is not None:  # an empty outer list has no inner lists to measure
            shapes[:, axis] = known
    return shapes


def _check_lengths(
    shapes: Rows, wanted: Sequence[int | None], spec: TensorSpec, column: str
) -> None:
    for axis, size in enumerate(wanted):
        wrong = shapes[:, axis] != size
        if size is None or not wrong.any():
            continue
        # An empty outer list has no inner lists to check; its own length was checked before.
        bad = np.flatnonzero(wrong & (shapes[:, :axis] != 0).all(axis=1))
        if len(bad):
            raise _wrong_shape(bad, shapes[bad], spec, column)


def _wrong_shape(rows: Rows, shapes: Rows, spec: TensorSpec, column: str) -> RowProblem:
    expected = format_shape(spec.row_shape or ())

    def reason_of(position: int) -> Reason:
        found = format_shape(tuple(shapes[position].tolist()))
        return Reason("WRONG_SHAPE", f"expected a row of shape {expected}, found {found}", column)

    return RowProblem(rows, reason_of)
