"""What other programs, paused runs and users may do between two steps of a commit."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.faults.stopping_store import Stopped, StoppingStore
from tests.faults.test_commit_faults import Job, rows
from tfspark.errors import OutputBusyError
from tfspark.scoring.input.spark_input import snapshot_of
from tfspark.scoring.output.apply import NoTables, Tables
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.journal import JobKey, Mode, TableRecord
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.session_tables import SessionTables
from tfspark.spark.cluster.sources import Source


class CopyingStore(StoppingStore):
    """Local files that are committed as in an object store."""

    is_atomic = False


class PausedStore(LocalStore):
    """Lets something else happen before one of its operations."""

    def __init__(self, before: str, happening: object) -> None:
        self._before, self._happening = before, happening

    def rename(self, source: str, target: str) -> None:
        self._pause(target)
        super().rename(source, target)

    def delete(self, path: str) -> None:
        self._pause(path)
        super().delete(path)

    def _pause(self, path: str) -> None:
        if self._before in path and callable(self._happening):
            happening, self._happening = self._happening, None
            happening()


def commit_of(
    output: Path, run: str, owner: Owner, store: LocalStore | None = None, lease: float = 120.0
) -> Commit:
    return Commit(Lock(store or LocalStore(), Places(str(output)), run, owner, lease))


def staged(commit: Commit, *names: str) -> list[str]:
    """Write files into the folder of new files, each with its name as its row."""
    commit.open_work()
    for name in names:
        file = Path(commit.work, "new", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return list(names)


def killed() -> Owner:
    return replace(Owner.this_process(), started="0")


def stopped(
    output: Path, mode: Mode, before: str, *names: str, store: type[StoppingStore] = StoppingStore
) -> None:
    """Publish files, and end the run before the first operation whose text has `before`."""

    class Ending(store):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> object:
            found = super().__getattribute__(name)
            if name not in ("rename", "delete"):
                return found

            def operation(*paths: str) -> object:
                if before in f"{name} {' '.join(paths)}":
                    raise Stopped(before)
                return found(*paths)

            return operation

    commit = commit_of(output, "A1", killed(), Ending())
    commit.begin(JobKey("A"))
    try:
        commit.publish(mode, staged(commit, *names), {})
    except Stopped:
        return
    finally:
        commit.lock.silence()
    raise AssertionError("the run was not stopped")


def files_in(output: Path) -> list[str]:
    return sorted(str(path.relative_to(output)) for path in output.rglob("*") if path.is_file())


def test_a_run_that_wakes_up_before_its_mark_finds_the_record_of_another(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "out", replace(Owner.this_process(), machine="another")

    def another_job() -> None:
        other = commit_of(output, "B1", killed(), lease=0.0)
        other.begin(JobKey("B"))
        other.acknowledge()

    slept = commit_of(output, "A1", elsewhere, PausedStore("/done-", another_job))
    slept.begin(JobKey("A"))
    slept.lock.silence()
    slept.publish("append", staged(slept, "1"), {})
    assert slept.record is not None
    again = commit_of(output, "A2", killed(), lease=0.0)
    assert again.begin(JobKey("A")) is not None
    again.lock.silence()


@pytest.mark.parametrize("new", ["1", "_SUCCESS"])
@pytest.mark.parametrize("intruder", ["removes", "replaces"])
def test_rows_that_were_replaced_are_never_shown_again(
    intruder: str, new: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    for name in ("old", "_SUCCESS"):
        (output / name).write_text("old")
    stopped(output, "overwrite", "/done-", new)
    assert files_in(output) == [new]
    moved = tmp_path / "moved"
    shutil.move(output, moved)
    if intruder == "replaces":
        output.mkdir()
        (output / "newer").write_text("newer")
    other = commit_of(output, "B1", killed())
    other.begin(JobKey("B"))
    other.acknowledge()
    assert files_in(output) == ([] if intruder == "removes" else ["newer"])


def test_an_overwritten_partition_that_copies_is_not_retired_twice(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for name in ("day=1/old", "day=2/old", "_SUCCESS", "day=1/hour=1/old"):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_text("old")
    names = ("day=1/hour=1/1", "day=3/hour=1/2", "_SUCCESS")
    stopped(output, "overwrite", "day=3/hour=1/2", *names, store=CopyingStore)
    other = commit_of(output, "B1", killed(), CopyingStore())
    other.begin(JobKey("B"))
    other.acknowledge()
    assert files_in(output) == sorted(names)


def test_an_append_meets_the_marker_of_another_program(tmp_path: Path) -> None:
    output = tmp_path / "out"
    stopped(output, "append", str(output), "1", "_SUCCESS")
    output.mkdir()
    for name in ("theirs", "_SUCCESS"):
        (output / name).write_text(name)
    again = commit_of(output, "A2", killed())
    assert again.begin(JobKey("A")) is not None
    again.acknowledge()
    assert files_in(output) == ["1", "_SUCCESS", "theirs"]


def test_an_append_that_is_half_shown_waits_for_the_user(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    stopped(output, "append", f"{output}/2", "1", "2")
    (output / "2").write_text("of another program")
    for run in ("A2", "B1"):
        blocked = commit_of(output, run, killed())
        with pytest.raises(OutputBusyError, match="move it away"):
            blocked.begin(JobKey(run[0]))
        blocked.abandon()
    (output / "2").rename(tmp_path / "theirs")
    again = commit_of(output, "A3", killed())
    assert again.begin(JobKey("A")) is not None
    again.acknowledge()
    assert rows(output) == ["1", "2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "theirs"]


def test_a_job_whose_output_was_removed_before_its_end_is_run_again(tmp_path: Path) -> None:
    job = Job(tmp_path / "out", "A", "append")
    for allowed in range(200):
        store = StoppingStore(allowed)
        try:
            job.run(store)
        except Stopped:
            if any("done-" in text for text in store.done):
                break
    else:
        pytest.fail("no operation names the record")
    shutil.rmtree(tmp_path / "out")
    assert job.run(StoppingStore()) == "done"
    assert rows(tmp_path / "out") == ["A.1", "A.2"]


def test_a_run_id_stays_done_when_its_output_was_removed(tmp_path: Path) -> None:
    job = Job(tmp_path / "out", "A", "append", run_id="monday")
    assert job.run(StoppingStore()) == "done"
    shutil.rmtree(tmp_path / "out")
    assert job.run(StoppingStore()) == "already done"


def test_a_run_whose_folder_cannot_be_removed_lets_other_jobs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_of(tmp_path / "out", "A1", Owner.this_process())
    commit.begin(JobKey("A"))

    def fails(_: object) -> None:
        raise PermissionError("no")

    with monkeypatch.context() as patch:
        patch.setattr(Commit, "_drop_work", fails)
        with pytest.raises(PermissionError):
            commit.abandon()
    other = commit_of(tmp_path / "out", "B1", Owner.this_process())
    other.begin(JobKey("B"))
    other.acknowledge()


class Catalog:
    """A session whose catalog has these tables, and nothing else."""

    def __init__(self, *names: str) -> None:
        self.catalog, self._names = self, names

    def tableExists(self, name: str) -> bool:  # noqa: N802  # Spark's name
        return name in self._names


def test_a_session_without_the_table_leaves_its_job_alone(tmp_path: Path) -> None:
    output = tmp_path / "out"
    plain = SessionTables(cast(Any, Catalog()), f"file:{output}")
    output.mkdir()
    record = TableRecord("`db`.`scores`", f"file:{output}", ["day"])

    def begun(run: str, tables: Tables) -> Commit:
        commit = Commit(Lock(LocalStore(), Places(str(output)), run, killed()), tables)
        commit.begin(JobKey("A"))
        return commit

    first = begun("A1", plain)
    with pytest.raises(OutputBusyError, match="cannot finish it"):
        first.publish("append", staged(first, "1"), {}, record)
    first.suspend()
    with pytest.raises(OutputBusyError, match="cannot finish it"):
        begun("A2", plain)
    shown: list[str] = []

    class Knowing(NoTables):
        def show(self, table: TableRecord, mode: Mode) -> None:
            shown.append(f"{table.name} {mode}")

    last = begun("A3", Knowing())
    assert last.record is not None
    last.acknowledge()
    assert (shown, rows(output)) == (["`db`.`scores` append"], ["1"])


def test_a_file_that_is_written_again_makes_another_job(tmp_path: Path) -> None:
    nothing: Any = None
    file = tmp_path / "a b%20c.csv"
    file.write_text("1")

    sources = [Source((file.as_uri(),))]
    seen = [snapshot_of(nothing, sources) for _ in range(2)]
    file.write_text("22")
    seen.append(snapshot_of(nothing, sources))
    assert seen[0] == seen[1] != seen[2]
    assert None not in (seen[2] or [None])


def test_names_that_are_no_lock_do_not_count(tmp_path: Path) -> None:
    commit = commit_of(tmp_path / "out", "A1", killed())
    commit.begin(JobKey("A"))
    hidden = Path(commit.lock.places.hidden)
    (hidden / "lock-1.orig").write_text("a backup of a user")
    other = commit_of(tmp_path / "out", "B1", killed())
    other.begin(JobKey("B"))
    assert other.lock.generation == 2
    assert other.lock.holds()
    other.acknowledge()


def test_a_run_id_may_be_any_word_of_a_shell(tmp_path: Path) -> None:
    for number, run_id in enumerate(("/../x", "a b", "%2F", "Z\u00fcrich", os.fsdecode(b"\xff"))):
        job = Job(tmp_path / f"out{number}", "A", "append", run_id)
        assert [job.run(StoppingStore()) for _ in range(2)] == ["done", "already done"]
