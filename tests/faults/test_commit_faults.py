"""A job that is stopped before any operation, and run again, gives the rows of one clean run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest

from tests.faults.stopping_store import Stopped, StoppingStore
from tfspark.errors import OutputBusyError
from tfspark.scoring.output import lock, renameat2
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.journal import JobKey, Journal, Mode
from tfspark.scoring.output.lock import Holder, Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places

MODES: tuple[Mode, ...] = ("error", "overwrite", "append")
PARTS = ("1", "2")
OLD = ["old.1"]
OLD_PARTITIONS, NEW_PARTITIONS = ("g=a", "g=b"), ("g=a", "g=c/h=d")


def killed() -> Owner:
    """A process of this machine that has ended."""
    return replace(Owner.this_process(), started="0")


class Job:
    """A job without Spark: `A` writes the rows `A.1` and `A.2`, each as a file."""

    def __init__(self, output: Path, name: str, mode: Mode, run_id: str = "") -> None:
        self.output, self.name, self.mode, self.run_id = output, name, mode, run_id
        self.runs = 0

    def run(self, store: StoppingStore, owner: Owner | None = None) -> str:
        """Run it as the commit's caller does; return how it ended."""
        self.runs += 1
        run = f"{self.name}{self.runs}"
        lock = Lock(store, Places(str(self.output)), run, owner or killed())
        try:
            return self._run(Commit(lock))
        finally:
            lock.silence()

    def key(self) -> JobKey:
        return JobKey(self.name, self.run_id)

    def _run(self, commit: Commit) -> str:
        if commit.begin(self.key()):
            commit.acknowledge()
            return "already done"
        if self.mode == "error" and self.output.exists():
            commit.abandon()
            return "exists"
        commit.open_work()
        new = Path(commit.work, "new")
        new.mkdir(exist_ok=True)
        self._stage(new)
        files = [str(path.relative_to(new)) for path in new.rglob("*") if path.is_file()]
        commit.publish(self.mode, sorted(files), {"rows": 2})
        commit.acknowledge()
        return "done"

    def _stage(self, new: Path) -> None:
        there = {path.read_text() for path in new.iterdir()}
        for part in PARTS:
            if f"{self.name}.{part}" not in there:
                (new / f"{self.name}{self.runs}-{part}").write_text(f"{self.name}.{part}")


class JobOfOneRun(Job):
    """A job whose input has no version: each run is another job."""

    def key(self) -> JobKey:
        return JobKey.of_one_run()


class JobOfPartitions(Job):
    """A job that overwrites the partitions `g=a` and `g=c/h=d`, each with one file."""

    def _stage(self, new: Path) -> None:
        for part, folder in zip(PARTS, NEW_PARTITIONS, strict=True):
            (new / folder).mkdir(parents=True, exist_ok=True)
            if not any((new / folder).iterdir()):
                (new / folder / f"{self.name}{self.runs}-{part}").write_text(f"{self.name}.{part}")


def rows(output: Path) -> list[str] | None:
    return sorted(path.read_text() for path in output.iterdir()) if output.exists() else None


def after(there: list[str] | None, job: Job) -> list[str]:
    kept = there or [] if job.mode == "append" else []
    return sorted([*kept, *(f"{job.name}.{part}" for part in PARTS)])


@pytest.fixture(params=[True, False], ids=["there", "absent"])
def there(request: pytest.FixtureRequest) -> list[str] | None:
    return OLD if request.param else None


@pytest.fixture(params=[True, False], ids=["exchange", "renames"])
def exchanges(request: pytest.FixtureRequest) -> bool:
    return request.param


def stops(
    tmp_path: Path, there: list[str] | None, mode: Mode, exchanges: bool, kind: type[Job] = Job
) -> Iterator[Job]:
    """Yield jobs that were stopped before operation 0, 1, 2, … until a job finishes."""
    for allowed in range(200):
        folder = tmp_path / str(allowed)
        output = folder / "out"
        (output if there else folder).mkdir(parents=True)
        if there:
            (output / "old").write_text(*there)
        job = kind(output, "A", mode)
        try:
            job.run(StoppingStore(allowed, exchanges=exchanges))
        except Stopped:
            yield job
        else:
            assert allowed > 15
            return
    raise AssertionError("the job does not end")


def is_readable(seen: list[str] | None, there: list[str] | None, job: Job, exchanges: bool) -> bool:
    if seen in (there, after(there, job)):
        return True
    if job.mode == "append" and there is not None:
        return seen in [sorted([*there, f"{job.name}.{part}"]) for part in PARTS]
    return seen is None and job.mode == "overwrite" and not exchanges


@pytest.mark.parametrize("mode", MODES)
def test_stopped_before_any_operation_and_run_again(
    mode: Mode, there: list[str] | None, exchanges: bool, tmp_path: Path
) -> None:
    if mode == "error" and there:
        pytest.skip("refused before anything is written")
    for job in stops(tmp_path, there, mode, exchanges):
        assert is_readable(rows(job.output), there, job, exchanges)
        assert job.run(StoppingStore(exchanges=exchanges)) in ("done", "already done")
        assert rows(job.output) == after(there, job)
        assert [path.name for path in job.output.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_stopped_and_run_again_without_renameat2(
    mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renameat2, "_function", lambda: None)
    for job in stops(tmp_path, OLD, mode, exchanges=False):
        assert job.run(StoppingStore(exchanges=False)) in ("done", "already done")
        assert rows(job.output) == after(OLD, job)
        assert [path.name for path in job.output.parent.iterdir()] == ["out"]


def partitions(output: Path) -> dict[str, list[str]]:
    """Return the rows of each partition."""
    files = sorted(path for path in output.rglob("*") if path.is_file())
    found: dict[str, list[str]] = {}
    for path in files:
        found.setdefault(str(path.relative_to(output).parent), []).append(path.read_text())
    return found


def test_stopped_while_partitions_are_overwritten(exchanges: bool, tmp_path: Path) -> None:
    old, new = {"g=a": ["old"], "g=b": ["old"]}, {"g=a": ["A.1"], "g=c/h=d": ["A.2"]}
    for allowed in range(200):
        output = tmp_path / str(allowed) / "out"
        for folder in OLD_PARTITIONS:
            (output / folder).mkdir(parents=True)
            (output / folder / "old").write_text("old")
        job = JobOfPartitions(output, "A", "overwrite-partitions")
        try:
            job.run(StoppingStore(allowed, exchanges=exchanges))
        except Stopped:
            seen = partitions(output)
            gap = not exchanges and "g=a" not in seen
            assert seen.get("g=a", []) in ([[]] if gap else [["old"], ["A.1"]])
            assert seen["g=b"] == ["old"]
            assert job.run(StoppingStore(exchanges=exchanges)) in ("done", "already done")
        assert partitions(output) == old | new
        assert [path.name for path in output.parent.iterdir()] == ["out"]
        if job.runs == 1:
            assert allowed > 15
            return
    raise AssertionError("the job does not end")


@pytest.mark.parametrize("other", MODES)
@pytest.mark.parametrize("mode", MODES)
def test_stopped_then_another_job_then_run_again(
    mode: Mode, other: Mode, there: list[str] | None, tmp_path: Path
) -> None:
    if mode == "error" and there:
        pytest.skip("refused before anything is written")
    for job in stops(tmp_path, there, mode, exchanges=True):
        second = Job(job.output, "B", other)
        first_seen = rows(job.output)
        second_ended = second.run(StoppingStore())
        between = rows(job.output)
        ended = job.run(StoppingStore())
        after_both = rows(job.output)
        if ended == "already done":  # the other job has published the rows of the first
            assert after_both == between
            done = after(there, job)
            assert between == (done if second_ended == "exists" else after(done, second))
        elif ended == "exists":
            assert between == after(there, second) == after_both
        else:  # the other job may have replaced rows that the first had published
            assert first_seen == there or other == "overwrite"
            seen = between if second_ended == "done" else there
            assert between == (after(there, second) if second_ended == "done" else there)
            assert after_both == after(seen, job)
        assert [path.name for path in job.output.parent.iterdir()] == ["out"]


def test_a_recovery_that_is_stopped_is_recovered(there: list[str] | None, tmp_path: Path) -> None:
    for job in stops(tmp_path, there, "overwrite", exchanges=False):
        for allowed in range(0, 60, 3):
            try:
                job.run(StoppingStore(allowed, exchanges=False))
            except Stopped:
                continue
            break
        assert rows(job.output) == after(there, job)


def test_a_live_lock_is_refused_and_its_owner_named(tmp_path: Path) -> None:
    places, owner = Places(str(tmp_path / "out")), Owner.this_process()
    held = Lock(StoppingStore(), places, "A1", owner)
    held.acquire()
    with pytest.raises(OutputBusyError, match=f"found:    run A1, process {owner.pid}"):
        Job(tmp_path / "out", "B", "append").run(StoppingStore(), owner)
    assert held.holds()
    held.release()
    assert not list(tmp_path.iterdir())


ELSEWHERE = replace(Owner.this_process(), machine="another")


def test_a_heartbeat_that_is_being_written_is_a_sign_of_life(tmp_path: Path) -> None:
    """On HDFS, the heartbeat is empty meanwhile."""
    lock = Lock(StoppingStore(), Places(str(tmp_path / "out")), "A1", ELSEWHERE)
    Commit(lock).begin(JobKey("A"))
    lock.silence()
    beat = Path(lock.places.beat("A1"))
    beat.write_text("")
    other = Lock(StoppingStore(), lock.places, "B1", Owner.this_process())
    assert not other.is_silent(str(beat))


def test_an_owner_elsewhere_is_alive_if_it_beats_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE, lease=4)
    held.acquire()
    with pytest.raises(OutputBusyError, match="found:    run A1"):
        Lock(StoppingStore(), places, "B1", Owner.this_process(), lease=60).acquire()
    assert "run A1, process" in caplog.text
    assert "waits up to 60 s" in caplog.text
    held.release()


def test_an_owner_elsewhere_is_dead_if_its_lease_ends_during_the_wait(tmp_path: Path) -> None:
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE)
    held.acquire()
    held.silence()
    other = Lock(StoppingStore(), places, "B1", Owner.this_process(), lease=2)
    other.acquire()
    assert other.generation == 2
    other.release()


def test_an_owner_elsewhere_that_ends_during_the_wait_counts_as_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job may have planned before the owner published."""
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE)
    held.acquire()
    held.silence()
    monkeypatch.setattr(lock, "sleep", lambda _: held.release())
    with pytest.raises(OutputBusyError, match="run A1"):
        Lock(StoppingStore(), places, "B1", Owner.this_process()).acquire()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("look", [2, 3])
def test_an_owner_elsewhere_that_ends_between_two_looks_counts_as_alive(
    look: int, tmp_path: Path
) -> None:
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE)
    held.acquire()
    held.silence()

    class Ending(StoppingStore):
        looks = 0

        def modified(self, path: str) -> int | None:
            self.looks += path == places.beat("A1")
            if self.looks == look:
                held.release()
            return super().modified(path)

    with pytest.raises(OutputBusyError, match="run A1"):
        Lock(Ending(), places, "B1", Owner.this_process()).acquire()


def test_a_heartbeat_in_the_future_does_not_keep_a_job_waiting(tmp_path: Path) -> None:
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE)
    held.acquire()
    held.silence()
    future = Path(places.beat("A1")).stat().st_mtime + 3600
    os.utime(places.beat("A1"), (future, future))
    with pytest.raises(OutputBusyError, match="run A1"):
        Lock(StoppingStore(), places, "B1", Owner.this_process(), lease=1).acquire()


def test_a_job_that_waited_does_not_take_the_lock_of_a_third_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(str(tmp_path / "out"))
    held = Lock(StoppingStore(), places, "A1", ELSEWHERE)
    held.acquire()
    held.silence()
    third = Lock(StoppingStore(), places, "C1", Owner.this_process())
    other = Lock(StoppingStore(), places, "B1", Owner.this_process())

    def wait(holder: Holder, last: int | None = None) -> bool:
        if holder.run == "A1":
            third.acquire()
        return holder.run != "A1"

    monkeypatch.setattr(other, "is_alive_after_wait", wait)
    with pytest.raises(OutputBusyError, match="run C1"):
        other.acquire()
    assert third.holds()
    third.release()


def test_the_end_of_a_run_elsewhere_is_awaited_before_its_record_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = list[float]()
    monkeypatch.setattr(lock, "sleep", lambda seconds: waits.append(seconds) or sleep(seconds))
    job = Job(tmp_path / "out", "A", "append")
    writer = Commit(Lock(StoppingStore(), Places(str(job.output)), "A1", ELSEWHERE, lease=1))
    writer.begin(JobKey("A"))
    writer.open_work()
    new = Path(writer.work, "new")
    new.mkdir()
    (new / "A1-1").write_text("A.1")
    writer.publish("append", ["A1-1"], {})
    writer.lock.silence()
    again = Commit(Lock(StoppingStore(), Places(str(job.output)), "A2", ELSEWHERE, lease=1))
    done = again.begin(JobKey("A"))
    assert done is not None
    assert done.run == "A1"
    assert waits
    again.acknowledge()
    assert rows(job.output) == ["A.1"]


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"colour": "red"}, {"mode": "overwrite-partitions"}]
)
def test_a_journal_of_another_version_is_left_to_that_version(change: dict[str, object]) -> None:
    journal = Journal("append", "A1", JobKey("A"), Owner.this_process(), ["1"], ["0"])
    record = json.loads(journal.to_json())
    assert Journal.of(json.dumps(record)) == journal
    with pytest.raises(OutputBusyError, match="Another version"):
        Journal.of(json.dumps({**record, **change}))


def test_a_silent_lock_is_taken_over_and_its_owner_publishes_nothing(tmp_path: Path) -> None:
    output, owner = tmp_path / "out", replace(Owner.this_process(), machine="another")
    slept = Commit(Lock(StoppingStore(), Places(str(output)), "A1", owner, lease=0.0))
    slept.begin(JobKey("A"))
    slept.lock.silence()
    slept.open_work()
    new = Path(slept.work, "new")
    new.mkdir()
    (new / "A1-1").write_text("A.1")
    other = Commit(Lock(StoppingStore(), Places(str(output)), "B1", owner, lease=0.0))
    other.begin(JobKey("B"))
    other.acknowledge()
    with pytest.raises(OutputBusyError, match="lost the lock"):
        slept.publish("append", ["A1-1"], {})
    slept.suspend()
    assert not list(tmp_path.iterdir())


def test_a_run_id_that_is_done_is_not_run_again(tmp_path: Path) -> None:
    job = Job(tmp_path / "out", "A", "append", run_id="monday")
    assert [job.run(StoppingStore()) for _ in range(3)] == ["done", "already done", "already done"]
    assert rows(job.output) == ["A.1", "A.2"]


def test_a_finished_append_without_a_run_id_appends_again(tmp_path: Path) -> None:
    job = Job(tmp_path / "out", "A", "append")
    assert [job.run(StoppingStore()) for _ in range(2)] == ["done", "done"]
    assert rows(job.output) == ["A.1", "A.1", "A.2", "A.2"]


def test_a_job_that_no_later_run_can_be_leaves_nothing(tmp_path: Path) -> None:
    counts = set()
    for job in stops(tmp_path, OLD, "append", True, JobOfOneRun):
        assert job.run(StoppingStore()) == "done"
        found = rows(job.output) or []
        counts.add(tuple(found))
        assert [path.name for path in job.output.parent.iterdir()] == ["out"]
    once, twice = ("A.1", "A.2"), ("A.1", "A.1", "A.2", "A.2")
    assert counts == {(*once, *OLD), (*twice, *OLD)}
