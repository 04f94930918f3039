"""A job on Spark that ends at a bad moment, and the same command again."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped
from tfspark.errors import OutputExistsError
from tfspark.scoring import recover
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.bad_rows import BadRowsOutput
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.parts import PartScorer
from tfspark.scoring.report import Report
from tfspark.scoring.run_job import run_job


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    for part in range(2):
        features = pa.array([[part, 1.0]] * 3, pa.list_(pa.float32()))
        pq.write_table(pa.table({"features": features}), folder / f"{part}.parquet")
    return folder


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run belong to a process that has ended before the next run."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)


def run(spark: SparkSession, job: BatchJob) -> tuple[Report, Report]:
    """Run a job; return its report at the start and at the end."""
    report = new_report("test")
    return report, execute(spark, plan(spark, job, report), report)


def stopped_run(spark: SparkSession, job: BatchJob) -> Report:
    """Run a job until it is stopped; return its report at the start."""
    report = new_report("test")
    with pytest.raises(Stopped):
        execute(spark, plan(spark, job, report), report)
    return report


def stop(*_: object) -> None:
    raise Stopped


def is_clean(folder: Path) -> bool:
    return sorted(one.name for one in folder.iterdir()) == ["out", "rows"]


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_an_append_that_was_decided_is_finished_and_not_repeated(
    path: Any, spark: SparkSession, linear: Path, source: Path, dead: None, monkeypatch: Any
) -> None:
    out = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(out)), "append", path=path)
    with monkeypatch.context() as patch:
        patch.setattr("tfspark.scoring.output.apply.Applier.apply", stop)
        patch.setattr(Commit, "suspend", lambda commit: commit.lock.silence())  # as a kill
        report = stopped_run(spark, job)
    assert not out.exists()
    _, done = run(spark, job)
    assert (done.run, done.rows_out) == (report.run, 6)
    assert pq.read_table(out).num_rows == 6
    assert is_clean(source.parent)


def test_parts_of_a_killed_job_are_not_scored_again(
    spark: SparkSession, linear: Path, source: Path, dead: None, monkeypatch: Any
) -> None:
    out = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(out)), path="direct")
    with monkeypatch.context() as patch:
        patch.setattr("tfspark.scoring.output.folder.PathOutput.take", stop)
        stopped_run(spark, job)

    def refuse(*_: object) -> None:
        raise AssertionError("a task was run")

    monkeypatch.setattr(PartScorer, "__call__", refuse)
    again, done = run(spark, job)
    assert (done.run, done.rows_in, done.rows_out) == (again.run, 6, 6)
    assert sorted(pq.read_table(out)["outputs"].to_pylist()) == [2.0] * 3 + [4.0] * 3
    assert is_clean(source.parent)


def test_recover_publishes_what_was_decided(
    spark: SparkSession, linear: Path, source: Path, dead: None, monkeypatch: Any
) -> None:
    out = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(out)), path="direct")
    with monkeypatch.context() as patch:
        patch.setattr("tfspark.scoring.output.apply.Applier.apply", stop)
        report = stopped_run(spark, job)
    assert recover(spark, str(out)) == [report.run]
    assert pq.read_table(out).num_rows == 6
    _, done = run(spark, job)
    assert done.run == report.run
    with pytest.raises(OutputExistsError):
        plan(spark, job, new_report("test"))
    assert is_clean(source.parent)


def test_sigterm_ends_a_job_with_143(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> str:
        signal.raise_signal(signal.SIGTERM)
        return "not reached"

    assert run_job(job) == 143
    assert "run the same command again; a batch job then continues" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_bad_rows_that_were_shown_are_not_shown_twice(
    path: Any, spark: SparkSession, linear: Path, source: Path, dead: None, monkeypatch: Any
) -> None:
    pq.write_table(
        pa.table({"features": pa.array([[1.0]], pa.list_(pa.float32()))}), source / "2.parquet"
    )
    out, bad = source.parent / "out", source.parent / "bad"
    place = (Dataset(str(source)), Dataset(str(out)))
    job = BatchJob(str(linear), *place, "append", path=path, bad_rows=str(bad))
    publish = PathOutput.publish

    def stop_good(output: PathOutput, account: Any) -> None:
        if not isinstance(output, BadRowsOutput):
            raise Stopped
        publish(output, account)

    with monkeypatch.context() as patch:
        patch.setattr(PathOutput, "publish", stop_good)
        stopped_run(spark, job)
    assert (pq.read_table(bad).num_rows, out.exists()) == (1, False)
    again = new_report("test")
    done = execute(spark, plan(spark, job, again), again)
    assert (done.run, done.rows_in, done.rows_out, done.bad_rows) == (again.run, 7, 6, 1)
    assert (pq.read_table(out).num_rows, pq.read_table(bad).num_rows) == (6, 1)
    assert sorted(one.name for one in source.parent.iterdir()) == ["bad", "out", "rows"]
