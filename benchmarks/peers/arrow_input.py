"""Converts Arrow columns to the input of a model, and its answer to an Arrow array.

For peers that pass Arrow data to the user's function. Uses views of Arrow's memory if possible, so
that no peer spends time on an avoidable conversion.
"""

from __future__ import annotations

from typing import Any

from benchmarks.task import Task


def input_of(task: Task, columns: list[Any]) -> Any:
    """Return the input of a batch."""
    import numpy as np
    import pyarrow as pa

    if task.strings:
        return np.array(columns[0].to_pylist(), dtype=object)
    if task.stacked:
        return np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)
    values = columns[0]
    while isinstance(values, pa.ExtensionArray):
        values = values.storage
    while (
        pa.types.is_list(values.type)
        or pa.types.is_large_list(values.type)
        or pa.types.is_fixed_size_list(values.type)
    ):
        values = values.flatten()
    return values.to_numpy(zero_copy_only=False)


def output_of(outputs: Any) -> Any:
    """Return predictions as a column of numbers or of lists of numbers."""
    import numpy as np
    import pyarrow as pa

    if outputs.ndim == 1:
        return pa.array(outputs)
    rows, width = outputs.shape
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(outputs.ravel()))
