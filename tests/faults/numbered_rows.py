"""Numbered rows, so that a reader of an output can identify each row."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILES, ROWS = 3, 4
NEW = list(range(FILES * ROWS))
OLD = [1000, 1001]
MANY_FILES, TOTAL = 40, 32_000


def table(ids: list[int]) -> pa.Table:
    """Rows for which the linear model returns `2 * id + 3`."""
    features = pa.array([[float(one), 0.0] for one in ids], pa.list_(pa.float32()))
    return pa.table({"id": pa.array(ids, pa.int64()), "features": features})


def write_old(folder: Path) -> None:
    """Write an output, as an earlier job would."""
    folder.mkdir(parents=True)
    outputs = pa.array([2.0 * one + 3.0 for one in OLD], pa.float32())
    pq.write_table(table(OLD).append_column("outputs", outputs), folder / "part-old.parquet")
