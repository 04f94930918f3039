"""Jobs on inputs of unusual sizes: none, one row, many columns, very large rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults.numbered_rows import table

pytestmark = pytest.mark.faults

# Through Spark, the JVM holds a row several times, and the heap of the tests has only 1 GB.
MEGABYTES = {"direct": 64, "spark": 8}


def no_rows(path: str) -> pa.Table:
    return table([])


def one_row(path: str) -> pa.Table:
    return table([7])


def many_columns(path: str) -> pa.Table:
    """Rows of 2 000 columns."""
    rows = table([1, 2])
    for number in range(2000 - rows.num_columns):
        rows = rows.append_column(f"c{number}", pa.array([number, None], pa.int32()))
    return rows


def large_rows(path: str) -> pa.Table:
    content = [bytes([one]) * (MEGABYTES[path] << 20) for one in (1, 2)]
    return table([1, 2]).append_column("content", pa.array(content, pa.binary()))


@pytest.mark.parametrize("path", ["direct", "spark"])
@pytest.mark.parametrize("rows", [no_rows, one_row, many_columns, large_rows])
def test_inputs_of_unusual_sizes(rows: Any, path: str, job: Any, tmp_path: Path) -> None:
    source, wanted = tmp_path / "in", rows(path)
    source.mkdir()
    pq.write_table(wanted, source / "part-0.parquet")
    assert job(tmp_path / "out", "--path", path, source=source) == 0
    scored = pq.read_table(tmp_path / "out").sort_by("id")
    assert scored.schema.names == [*wanted.schema.names, "outputs"]
    assert scored.select(wanted.schema.names).cast(wanted.schema) == wanted
    assert scored["outputs"].to_pylist() == [2.0 * one + 3.0 for one in wanted["id"].to_pylist()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
