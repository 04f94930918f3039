"""A job with bad rows is stopped before each operation and run again: both folders are exact."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped, StoppingStore
from tfspark.errors import OutputExistsError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output import folder
from tfspark.scoring.output.bad_rows import BadRowsOutput, GoodAndBadRows
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.owner import Owner

NEW = {"out": ["good"], "bad": ["bad"]}
OLD = {"out": ["old"], "bad": ["old"]}
MOST = 200
# Every operation costs two runs, so each case tests only some operations, with a different start.
STEP = 1 if os.environ.get("ROUNDS") else 6


class Job:
    """A job without tasks: one file of good rows, one of bad rows."""

    def __init__(self, spark: SparkSession, place: Path, mode: Mode, run_id: str = "") -> None:
        self.spark, self.place, self.mode, self.run_id = spark, place, mode, run_id
        self.digest, self.runs = "digest", 0

    def run(self, fails: bool = False) -> str:
        """Run the job as `execute` does; return how it ended."""
        self.runs += 1
        run = f"run{self.runs}"
        out, bad = (Dataset(str(self.place / name)) for name in NEW)
        good = PathOutput(self.spark, out, self.mode, run)
        both = GoodAndBadRows(good, BadRowsOutput(self.spark, bad, self.mode, run, good))
        try:
            return self._run(both, fails)
        finally:
            for output in (both.good, both.bad):
                output._commit.lock.silence()

    def _run(self, both: GoodAndBadRows, fails: bool) -> str:
        for output in (both.good, both.bad):
            output.check()
        if both.begin(JobKey(self.digest, self.run_id)):
            both.acknowledge()
            return "already done"
        for name, output in zip(NEW, (both.good, both.bad), strict=True):
            file = f"part-{self.runs}"
            Path(str(output.folder).removeprefix("file:"), file).write_text(*NEW[name])
            output.take([file])
        if fails:
            (self.place / "out").mkdir()  # by another program
        try:
            both.publish({"rows": 2})
        except OutputExistsError:
            both.discard()
            return "failed"
        both.acknowledge()
        return "done"

    def rows(self) -> dict[str, list[str]]:
        return {
            name: sorted(
                one.read_text() for one in (self.place / name).glob("*") if one.name != "_SUCCESS"
            )
            for name in NEW
        }


@pytest.fixture(autouse=True)
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run belong to a process that has ended before the next run."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)


def stopped(
    job: Job, is_there: bool, patch: pytest.MonkeyPatch, first: int, fails: bool = False
) -> Iterator[Job]:
    """Yield jobs that were stopped before operation 0, 1, 2, … until a job finishes."""
    for allowed in range(first if STEP > 1 else 0, MOST, STEP):
        place = job.place / str(allowed)
        place.mkdir()
        for name in NEW if is_there else ():
            (place / name).mkdir()
            (place / name / "old").write_text("old")
        one, store = Job(job.spark, place, job.mode, job.run_id), StoppingStore(allowed)
        with patch.context() as stopping:
            stopping.setattr(folder, "store_of", lambda _, path, to=store: (to, path[5:]))
            try:
                one.run(fails)
            except Stopped:
                pass
            else:
                assert allowed > 30
                return
        yield one
    raise AssertionError("the job does not end")


@pytest.mark.parametrize(
    ("mode", "is_there", "run_id", "first"),
    [
        ("error", False, "", 0),
        ("error", False, "mine", 1),
        ("overwrite", True, "", 2),
        ("overwrite", False, "", 3),
        ("append", True, "", 4),
        ("append", True, "mine", 5),
    ],
)
def test_stopped_before_any_operation_and_run_again(
    mode: Mode,
    is_there: bool,
    run_id: str,
    first: int,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = OLD if is_there and mode == "append" else {"out": [], "bad": []}
    wanted = {name: sorted([*rows, *kept[name]]) for name, rows in NEW.items()}
    for job in stopped(Job(spark, tmp_path, mode, run_id), is_there, monkeypatch, first):
        seen = job.rows()
        assert "good" not in seen["out"] or "bad" in seen["bad"]
        assert job.run() in ("done", "already done")
        assert job.rows() == wanted
        if run_id:
            assert job.run() == "already done"
            assert job.rows() == wanted
        names = {path.name for path in job.place.iterdir()}
        assert names == {"out", "bad", *([".out.tfspark"] if run_id else [])}


def test_a_withdrawal_that_was_stopped_is_finished(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for job in stopped(Job(spark, tmp_path, "error"), False, monkeypatch, 2, fails=True):
        if (job.place / "out").is_dir() and not any((job.place / "out").iterdir()):
            (job.place / "out").rmdir()  # the other program
        assert job.run() in ("done", "already done")
        assert job.rows() == NEW
        assert {path.name for path in job.place.iterdir()} == {"out", "bad"}


def stop(*_: object) -> None:
    raise Stopped


PUBLISH = PathOutput.publish


def publish_bad_rows(output: PathOutput, account: Mapping[str, object]) -> None:
    if not isinstance(output, BadRowsOutput):
        raise Stopped
    PUBLISH(output, account)


def stop_between(job: Job, patch: pytest.MonkeyPatch) -> None:
    """Run a job that is killed when its bad rows are published, and its output is not."""
    with patch.context() as stopping:
        stopping.setattr(PathOutput, "publish", publish_bad_rows)
        with pytest.raises(Stopped):
            job.run()
    assert job.rows()["bad"].count("bad") == 1


@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
@pytest.mark.parametrize("run_id", ["", "mine"])
def test_another_job_withdraws_the_bad_rows_of_a_job_without_output(
    mode: Mode, run_id: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, tmp_path, mode, run_id)
    stop_between(job, monkeypatch)
    job.digest = "another"
    assert job.run() == "done"
    assert job.rows() == NEW


def test_the_same_job_publishes_the_bad_rows_that_it_finds_now(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, tmp_path, "append", "mine")
    stop_between(job, monkeypatch)
    monkeypatch.setitem(NEW, "bad", ["changed"])  # the digest does not show it
    assert job.run() == "done"
    assert job.rows() == {"out": ["good"], "bad": ["changed"]}


def test_a_job_that_fails_leaves_no_bad_rows_of_a_killed_one(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, tmp_path, "append")
    stop_between(job, monkeypatch)
    monkeypatch.setattr(PathOutput, "take", stop)
    with pytest.raises(Stopped):
        job.run()
    assert not (tmp_path / "bad").exists()


def test_another_job_keeps_the_bad_rows_of_a_job_with_output(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, tmp_path, "append")
    with monkeypatch.context() as patch:
        patch.setattr(GoodAndBadRows, "acknowledge", stop)
        with pytest.raises(Stopped):
            job.run()
    job.digest = "another"
    assert job.run() == "done"
    assert job.rows() == {"out": ["good", "good"], "bad": ["bad", "bad"]}
