"""Checks an output: the number of rows, and TensorFlow's answers.

Compares the folder that a side wrote with the answers that `prepare` stored; returns a
`Difference`, or raises an `AssertionError`. Sides may write rows in another order (only the floor
and tfspark's direct path promise an order), so both are sorted. Sorting hides only a permutation of
the rows, which tfspark's tests check.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.task import Task

TOLERANCE = 2e-5
# Each of these rows is compared with all others.
_MOST_MATCHED = 1000


@dataclass(frozen=True)
class Difference:
    """How far an output is from TensorFlow's.

    Attributes:
        largest: Largest absolute difference.
        bit_equal: Whether every bit is the same.
    """

    largest: float
    bit_equal: bool


def answers_of(data: str) -> Path:
    """Return the file with TensorFlow's answers for a folder of rows; it is beside the folder."""
    return Path(data).with_suffix(".npy")


def check(task: Task) -> Difference:
    """Compare an output with TensorFlow's answers."""
    wanted = np.load(answers_of(task.data)).reshape(-1, task.width)
    found = written(task).reshape(-1, task.width)
    assert len(found) == len(wanted), f"expected {len(wanted)} rows, found {len(found)}"
    allowed = TOLERANCE * max(1.0, float(np.max(np.abs(wanted), initial=0.0)))
    wanted = _sorted(wanted)
    found = _matched(wanted, _sorted(found), allowed)
    largest = float(np.max(np.abs(wanted - found), initial=0.0))
    assert largest <= allowed, f"expected TensorFlow's answers, found a difference of {largest}"
    return Difference(largest, bool(np.array_equal(wanted, found)))


def written(task: Task) -> Any:
    """Return the predictions that a side wrote, in the order of its files."""
    files = sorted(Path(task.out).rglob("*.parquet"))
    parts = [pq.ParquetFile(file).read().column(-1) for file in files]
    values = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
    flat = values.combine_chunks()
    if not pa.types.is_floating(flat.type):
        flat = flat.flatten()
    assert not flat.null_count, f"{flat.null_count} predictions are null"
    return flat.to_numpy()


def rows_written(task: Task) -> int:
    """Return the number of rows that a side wrote, from the footers."""
    return sum(pq.read_metadata(file).num_rows for file in Path(task.out).rglob("*.parquet"))


def _matched(wanted: Any, found: Any, allowed: float) -> Any:
    """Return sorted rows in the order of the wanted ones.

    Rounding can change the order of rows whose first numbers are almost equal. Each row that seems
    to be wrong is exchanged for the nearest of these rows, if all of them have different ones.
    """
    wrong = np.flatnonzero(np.abs(wanted - found).max(axis=1) > allowed)
    if 0 < len(wrong) <= _MOST_MATCHED:
        distances = np.abs(wanted[wrong][:, None] - found[wrong][None]).max(axis=2)
        nearest = distances.argmin(axis=1)
        if len(np.unique(nearest)) == len(wrong):
            found[wrong] = found[wrong][nearest]
    return found


def _sorted(rows: Any) -> Any:
    if rows.shape[1] == 1:
        return np.sort(rows, axis=0)
    return rows[np.lexsort(rows.T[::-1])]
