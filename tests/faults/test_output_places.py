"""Where an output may be: links, mounts, folders of tables. Without Spark, on local files."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tfspark.errors import BindingError, OutputBusyError, OutputExistsError, UsageError
from tfspark.scoring.batch import finish_job, new_report
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output import bad_rows, folder, folder_rules
from tfspark.scoring.output.bad_rows import BadRowsOutput
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.partitions import check_partitions, visible_files
from tfspark.scoring.output.stores import resolve_links
from tfspark.spark.cluster.files import scheme_of


class LocalFiles:
    """The file system of this machine as Hadoop names it."""

    def __init__(self, spark: Any, path: str) -> None:
        self.given = path

    def qualified(self, path: str) -> str:
        """Refuse the path of another file system, as Hadoop does."""
        if scheme_of(path) not in ("", scheme_of(self.given) or "file"):
            raise ValueError(f"Wrong FS: {path}")
        if scheme_of(path) not in ("", "file"):
            return path
        return f"file:{os.path.normpath(path.removeprefix('file:'))}"

    uri = qualified

    def check_creatable(self, path: str) -> None:
        above = Path(path.removeprefix("file:")).parent
        if above.is_dir() and not above.stat().st_mode & 0o200:  # also for root
            raise OutputExistsError(f"{above} cannot be written by this user")

    def exists(self, path: str) -> bool:
        return Path(path.removeprefix("file:")).exists()

    def is_folder(self, path: str) -> bool:
        return Path(path.removeprefix("file:")).is_dir()

    def children(self, path: str) -> list[str]:
        place = Path(path.removeprefix("file:"))
        return sorted(one.name for one in place.iterdir()) if place.is_dir() else []


@pytest.fixture(autouse=True)
def without_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (bad_rows, folder, folder_rules):
        monkeypatch.setattr(module, "HadoopFiles", LocalFiles)


def output_at(path: Path, mode: Mode, run: str) -> PathOutput:
    nothing: Any = None
    return PathOutput(nothing, Dataset(str(path)), mode, run)


def write(output: PathOutput, name: str) -> None:
    assert output.begin(JobKey(name)) is None
    Path(str(output.folder).removeprefix("file:"), name).write_text(name)
    output.take([name])
    output.publish({})
    output.acknowledge()


@pytest.mark.parametrize("place", ["beside", "other disk"])
@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_an_output_that_is_a_link_stays_one(mode: Mode, place: str, tmp_path: Path) -> None:
    if place == "beside":
        real = tmp_path / "deep" / "real"
    else:
        if not Path("/dev/shm").is_dir():
            pytest.skip("there is no other disk")
        real = Path("/dev/shm", f"tfspark-{os.getpid()}-{mode}", "real")
    real.mkdir(parents=True)
    (tmp_path / "out").symlink_to(real)
    try:
        write(output_at(tmp_path / "out", mode, "A1"), "one")
        write(output_at(real, "append", "B1"), "two")
        assert (tmp_path / "out").is_symlink()
        assert {"one", "two"} <= {path.name for path in real.iterdir()}
        assert [path.name for path in real.parent.iterdir()] == ["real"]
    finally:
        for path in real.iterdir():
            path.unlink()
        real.rmdir()
        real.parent.rmdir()


def test_an_overwrite_refuses_to_delete_an_input_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "out" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to("out/in")
    output = output_at(tmp_path / "out", "overwrite", "A1")
    output._inputs = [str(tmp_path / "link")]
    with pytest.raises(UsageError, match="would change"):
        output.begin(JobKey("A"))
    output.discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out"]


@pytest.mark.parametrize("below", ["", "/hour=2"])
def test_an_append_to_a_partition_on_another_disk_is_refused_before_the_decision(
    below: str, tmp_path: Path
) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    with TemporaryDirectory(dir=other) as disk:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "day=1").symlink_to(disk)
        Path(f"{disk}{below}").mkdir(exist_ok=True)
        output = output_at(tmp_path / "out", "append", "A1")
        assert output.begin(JobKey("A")) is None
        for name in (f"day=1{below}", f"day=2{below}"):
            staged = Path(str(output.folder).removeprefix("file:"), name)
            staged.mkdir(parents=True)
            (staged / "part-0").touch()
        output.take([f"day=2{below}/part-0", f"day=1{below}/part-0"])
        with pytest.raises(UsageError, match=rf"out/day=1{below}; nothing is published"):
            output.publish({})
        assert not output.is_decided
        output.discard()
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["day=1"]


@pytest.mark.parametrize("name", ["table", "table/bad", ""])
def test_bad_rows_are_not_in_the_folder_of_a_table(name: str, tmp_path: Path) -> None:
    nothing: Any = None
    good = output_at(tmp_path / "table", "overwrite", "A1")
    (tmp_path / "link").symlink_to(tmp_path)
    for root in (tmp_path, tmp_path / "link"):
        bad = BadRowsOutput(nothing, Dataset(str(root / name)), "overwrite", "A1", good)
        if root / name != tmp_path / "link" / "table/bad":
            with pytest.raises(UsageError, match="a folder that is not the output's"):
                bad.check_beside(good._path)


def test_bad_rows_may_be_on_another_file_system(tmp_path: Path) -> None:
    nothing: Any = None
    good = output_at(tmp_path / "out", "append", "A1")
    bad = BadRowsOutput(nothing, Dataset(str(tmp_path / "bad")), "append", "A1", good)
    bad.check_beside("hdfs://host/out")


def test_an_interrupt_while_a_job_finishes_lets_other_jobs_in(tmp_path: Path) -> None:
    output = output_at(tmp_path / "out", "append", "A1")
    assert output.begin(JobKey("A")) is None
    Path(str(output.folder).removeprefix("file:"), "one").write_text("one")
    output.take(["one"])
    output.publish({})

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish_job(output, new_report("test"), interrupted)
    write(output_at(tmp_path / "out", "append", "B1"), "two")  # of the same process
    again = output_at(tmp_path / "out", "append", "A2")
    assert again.begin(JobKey("A")) is not None
    again.acknowledge()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_on_another_disk_is_found_without_a_change(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(other)
    store, before = LocalStore(), store_names(tmp_path, other)
    assert store.is_mount(str(tmp_path / "link"))
    assert store.is_mount(str(other))
    assert not store.is_mount(str(tmp_path / "out"))
    assert not store.is_mount(str(tmp_path / "none"))
    assert store_names(tmp_path, other) == before


def store_names(*folders: Path) -> list[list[str]]:
    return [LocalStore().names(str(folder)) for folder in folders]


def test_a_link_leads_to_the_folder_whose_lock_counts(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to("deep/out")  # which is not there yet
    wanted = f"file:{tmp_path}/deep/out"
    assert resolve_links(f"file:{tmp_path}/link") == wanted
    assert resolve_links(wanted) == wanted
    assert resolve_links("hdfs://host/link") == "hdfs://host/link"


def test_rows_that_no_reader_would_see_are_refused() -> None:
    target = Dataset("out", partition_by=(".day",))
    with pytest.raises(BindingError, match="begins with a dot"):
        check_partitions(target, {".day": "int", "score": "float"})
    seen = ["_day=1/part-0", "day=1/part-0"]
    assert visible_files(target, ["_SUCCESS", "_temporary/0/part-0", *seen]) == seen
    with pytest.raises(BindingError, match=r"name=a\._COPYING_"):
        visible_files(target, ["name=a._COPYING_/part-0"])


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_folder_of_another_user_is_refused_before_the_decision(
    mode: Mode, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    output = output_at(tmp_path / "out", mode, "A1")
    with pytest.raises(OutputExistsError, match="out cannot be written"):
        output.begin(JobKey("A"))
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_was_taken_before_it_is_marked_whole(tmp_path: Path) -> None:
    output = output_at(tmp_path / "out", "error", "A1")
    output.begin(JobKey("A"))
    Path(str(output.folder).removeprefix("file:"), "one").write_text("one")
    output.take(["one"])
    (tmp_path / ".out.tfspark" / "work-A1").rename(tmp_path / "taken")
    with pytest.raises(OutputBusyError, match="lost the lock"):
        output.publish({})
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("others", [[], ["_SUCCESS", "theirs"]])
def test_withdrawn_bad_rows_leave_the_marker_of_another_job(
    others: list[str], tmp_path: Path
) -> None:
    nothing: Any = None
    good = output_at(tmp_path / "out", "error", "A1")
    bad = BadRowsOutput(nothing, Dataset(str(tmp_path / "bad")), "error", "A1", good)
    bad.begin(JobKey("A"))
    Path(str(bad.folder).removeprefix("file:"), "one").write_text("one")
    bad.take(["one"])
    bad.publish({})
    for name in others:
        (tmp_path / "bad" / name).write_text(name)
    bad.withdraw()
    bad.discard()
    there = (tmp_path / "bad").exists()
    assert (sorted(one.name for one in (tmp_path / "bad").iterdir()) if there else []) == others
    assert not (tmp_path / ".bad.tfspark").exists()
