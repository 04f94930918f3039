"""A run with a key chosen by the user, and a job beside another job."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from jobs import batch_score
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places


def test_a_run_id_is_run_once(score: Any, rows: Path, tmp_path: Path) -> None:
    flags = ("--input", rows, "--output", tmp_path / "out", "--mode", "append")
    first = score(*flags, "--run-id", "monday")
    again = score(*flags, "--run-id", "monday")
    assert "already done by run" in again.stdout
    assert again.report["run"] == first.report["run"]
    assert pq.read_table(tmp_path / "out").num_rows == 5
    score(*flags, "--run-id", "tuesday")
    assert pq.read_table(tmp_path / "out").num_rows == 10


def test_a_run_id_is_run_once_on_a_table(score: Any, rows: Path, tables: str, spark: Any) -> None:
    flags = ("--input", rows, "--keep", "id", "--output-table", f"{tables}.y", "--mode", "append")
    first = score(*flags, "--run-id", "monday")
    again = score(*flags, "--run-id", "monday")
    assert again.report["run"] == first.report["run"]
    assert spark.table(f"{tables}.y").count() == 5
    score(*flags, "--run-id", "tuesday")
    assert spark.table(f"{tables}.y").count() == 10


def test_a_second_job_is_told_to_try_again(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    owner = Owner.this_process()
    lock = Lock(LocalStore(), Places(str(tmp_path / "out")), "other", owner)
    lock.acquire()
    flags = ("--model", linear, "--input", rows, "--output", tmp_path / "out")
    ended = end_of(batch_score.main, *flags)
    assert ended.code == 75
    assert f"run other, process {owner.pid} of" in ended.error
    assert ended.spark_jobs == 0
    lock.release()
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_run_that_is_done_does_not_make_a_removed_output_again(
    score: Any, rows: Path, tmp_path: Path
) -> None:
    flags = ("--input", rows, "--output", tmp_path / "out")
    score(*flags, "--run-id", "monday")
    shutil.rmtree(tmp_path / "out")
    again = score(*flags, "--run-id", "monday")
    assert "already done by run" in again.stdout
    assert again.stdout.splitlines()[-1] == "the report was not written"
    assert not (tmp_path / "out").exists()
    score(*flags, "--run-id", "tuesday")
    assert pq.read_table(tmp_path / "out").num_rows == 5
