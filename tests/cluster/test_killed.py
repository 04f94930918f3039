"""A job killed in the middle leaves what was there, and the next one does the work."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
ROWS = 1_000_000
PATIENCE = 200.0


@pytest.fixture(scope="module")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that takes minutes when the model is called for each of its rows."""
    features = pa.FixedSizeListArray.from_arrays(np.arange(2.0 * ROWS, dtype=np.float32) % 1000, 2)
    path = tmp_path_factory.mktemp("many") / "rows.parquet"
    pq.write_table(pa.table({"features": features.cast(pa.list_(pa.float32()))}), path)
    return path


def wait_for_rows(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the job has written rows aside."""
    end = monotonic() + PATIENCE
    while not any(folder.glob(".out.tfspark/**/*.parquet")):
        assert process.poll() is None, "the job ended before it was killed"
        assert monotonic() < end, "the job wrote nothing"
        sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["spark", "direct"])
def test_killed_job_leaves_the_old_output_and_the_next_one_replaces_it(
    path: str, many_rows: Path, linear: Path, environment: Any, submit: Any, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-old.parquet").write_bytes(b"precious")
    arguments = (
        *("--master", "local[1]", "jobs/batch_score.py", "--path", path, "--mode", "overwrite"),
        *("--model", linear, "--input", many_rows, "--output", tmp_path / "out"),
    )
    process = subprocess.Popen(
        [str(one) for one in (ROOT / "spark-submit.sh", *arguments, "--batch-size", 1)],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for_rows(tmp_path, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    assert [one.name for one in tmp_path.iterdir() if one.name[0] != "."] == ["out"]
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["part-old.parquet"]
    assert (tmp_path / "out" / "part-old.parquet").read_bytes() == b"precious"

    submit(*arguments)
    x = (np.arange(2.0 * ROWS) % 1000).reshape(ROWS, 2)
    scored = pq.read_table(tmp_path / "out")["outputs"].to_numpy()
    np.testing.assert_array_equal(scored, 2 * x[:, 0] - x[:, 1] + 3)
