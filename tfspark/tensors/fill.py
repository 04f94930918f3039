"""Replaces null elements by a value, inside lists of any depth. Executor."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tfspark import dtypes
from tfspark.rows import scalar_of


def filled(array: dtypes.ArrowArray, fill: Any) -> dtypes.ArrowArray:
    """Return the array with its null elements replaced; without a copy when there are none.

    Args:
        array: Scalars, or lists of them at any depth. A null list stays null.
        fill: A valid element; see `tfspark.rows.is_fitting`.
    """
    if not dtypes.is_list(array.type):
        return array.fill_null(scalar_of(fill, array.type)) if array.null_count else array
    lists: Any = array
    inner = lists.values
    elements = filled(inner, fill)
    if elements is inner:
        return array
    return pa.Array.from_buffers(
        array.type,
        len(array),
        array.buffers()[: array.type.num_buffers],
        array.null_count,
        array.offset,
        [elements],
    )
