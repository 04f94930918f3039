"""The soak of a cluster: it finds wrong rows, and reads the memory of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import process_memory
from benchmarks.cluster_soak import table, thirds
from benchmarks.cluster_soak_rows import ARRIVING, check_rows, check_stream, publish_rows


@pytest.mark.parametrize(
    ("ids", "scores", "problem"),
    [
        ([0, 1, 2], [3.0, 4.0, 5.0], ""),
        ([2, 0, 1], [5.0, 3.0, 4.0], ""),
        ([0, 1], [3.0, 4.0], "2 rows with 2 ids, not 3"),
        ([0, 1, 1, 2], [3.0, 4.0, 4.0, 5.0], "4 rows with 3 ids, not 3"),
        ([0, 1, 2], [3.0, 5.0, 5.0], "1 of 3 rows are wrong"),
    ],
)
def test_missing_doubled_and_wrong_rows_are_found(
    ids: list[int], scores: list[float], problem: str
) -> None:
    scored = pa.table({"id": ids, "y": scores})
    with pytest.raises(AssertionError, match=problem) if problem else nullcontext():
        check_rows(scored, 3, 3)


def test_rows_of_the_stream_are_compared_with_their_own_version(tmp_path: Path) -> None:
    for folder in ("arriving", "scores"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        publish_rows(tmp_path, number)
        rows = pq.read_table(tmp_path / "arriving" / f"{number:06d}.parquet")
        y = [2 * x0 - x1 + number for x0, x1 in rows["features"].to_pylist()]
        version = pa.array([number] * ARRIVING, pa.int64())
        scored = rows.append_column("y", [y]).append_column("version", version)
        pq.write_table(scored, tmp_path / "scores" / f"{number}.parquet")
    found = check_stream(tmp_path, 2)
    assert found == {"rows of the stream": 2 * ARRIVING, "versions of the stream": 2}
    with pytest.raises(AssertionError, match="not 1500"):
        check_stream(tmp_path, 3)


def test_the_first_third_is_compared_with_the_last() -> None:
    found = thirds([{"heap": float(value)} for value in (1, 3, 9, 9, 4, 4)])
    assert found == {"heap": (2.0, 4.0)}
    assert thirds([{"heap": float(value)} for value in (9, 1, 2, 3)], 1 / 4) == {"heap": (1.0, 3.0)}
    assert table("PSS", found).endswith("| heap | 2 | 4 | 2.00 |")


@pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc/PID/smaps_rollup of Linux"
)
def test_memory_of_processes() -> None:
    wait = "import sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in process_memory.children(os.getpid())
        assert child.pid in process_memory.descendants(os.getpid())
        assert process_memory.pss(child.pid) > 1
        assert child.stdin is not None
        child.stdin.close()
    assert process_memory.pss(child.pid) == 0
