"""Opens list columns: the elements, and the lengths and nulls of the lists. Executor.

Numbers are not copied, unless a null list has elements in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.rows import Reason
from tfspark.tensors.values import Flags, RowProblem, Rows, to_numpy


@dataclass(frozen=True)
class Opened:
    """The elements of a column, and its lists.

    Attributes:
        elements: The elements of the innermost lists, in order, without those of null lists.
        lengths: For each level of lists, the length of every list; 0 for a null.
        nulls: Flags of the nulls, for each level of lists and then for the elements; `None` when
            there are no nulls.
    """

    elements: dtypes.ArrowArray
    lengths: tuple[Rows, ...]
    nulls: tuple[Flags | None, ...]

    @classmethod
    def of(cls, array: dtypes.ArrowArray) -> Opened:
        """Open a column; copy it only if a null list has elements in memory."""
        lengths: list[Rows] = []
        nulls = [_nulls(array)]
        while dtypes.is_list(array.type):
            level, array = _open(array, nulls[-1])
            lengths.append(level)
            nulls.append(_nulls(array))
        return cls(array, tuple(lengths), tuple(nulls))

    def null_rows(self) -> Flags | None:
        """Return a flag for each row with a null at any depth; `None` when there is none."""
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
        """Return the shapes of all rows, (rows, levels of lists); refuse ragged rows."""
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
                raise _ragged(column, np.unique(owner[ragged]), lengths, owner)
        return shapes


def _ragged(column: str, rows: Rows, lengths: Rows, owner: Rows) -> RowProblem:
    def reason_of(position: int) -> Reason:
        first, last = np.searchsorted(owner, [rows[position], rows[position] + 1])
        inside = sorted(set(lengths[first:last].tolist()))
        different = ", ".join(map(str, inside))
        return Reason("RAGGED", f"its inner lists have different lengths: {different}", column)

    return RowProblem(rows, reason_of)


def _nulls(array: dtypes.ArrowArray) -> Flags | None:
    return to_numpy(array.is_null()) if array.null_count else None


def _open(array: dtypes.ArrowArray, nulls: Flags | None) -> tuple[Rows, dtypes.ArrowArray]:
    """Return the length of every list, and all elements."""
    lists = cast("pa.ListArray[Any]", array)
    lengths: Rows
    if isinstance(array, pa.FixedSizeListArray):
        lengths = np.full(len(array), array.type.list_size, dtype=np.int64)
        elements: dtypes.ArrowArray = lists.flatten()
    elif not len(array):  # Arrow's Java library may write no offsets at all
        lengths, elements = np.zeros(0, np.int64), lists.values.slice(0, 0)
    else:
        offsets = to_numpy(lists.offsets)
        lengths = np.diff(offsets).astype(np.int64, copy=False)
        elements = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    if nulls is not None:
        lengths[nulls] = 0
        elements = lists.flatten()
    return lengths, elements
