"""The properties of a store that the commit needs, on real files: the local store and Hadoop's."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.faults import forked
from tests.faults.test_commit_faults import Job, rows
from tfspark.scoring.output import renameat2
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.store import Store
from tfspark.scoring.output.stores import store_of
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.hadoop_store import HadoopStore


@pytest.fixture(params=["local", "without renameat2", "hadoop"])
def store(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Store:
    if request.param != "hadoop":
        if request.param == "without renameat2":
            monkeypatch.setattr(renameat2, "_function", lambda: None)
        return LocalStore()
    return HadoopStore(spark, f"file:{tmp_path}")


def test_what_the_commit_relies_on(store: Store, tmp_path: Path) -> None:
    """One test, because most of its time is the start of the session."""
    root = str(tmp_path)
    store.create(f"{root}/one", "first")
    with pytest.raises(FileExistsError):
        store.create(f"{root}/one", "second")
    assert store.read(f"{root}/one") == "first"
    for missing in (f"{root}/none/one", f"{root}/none/more/one"):
        with pytest.raises(FileNotFoundError):
            store.create(missing, "")
        with pytest.raises(FileNotFoundError):
            store.touch(missing)
        with pytest.raises(FileNotFoundError):
            store.rename(f"{root}/one", missing)
        with pytest.raises(FileNotFoundError):
            store.rename(missing, f"{root}/two")
        with pytest.raises(
            FileNotFoundError
        ):  # a finished step is not mistaken for a file of another program
            store.rename(missing, f"{root}/one")
    for _ in range(2):
        store.make_hidden(f"{root}/above/.hidden")
    rights = store.access(f"{root}/above/.hidden")
    assert rights is not None
    assert rights.owner == store.user_in(f"{root}/above")
    assert (rights.mode & 0o002, rights.is_link) == (0, False)
    assert store.access(f"{root}/none") is None
    os.chmod(f"{root}/above", 0o1777)  # noqa: PTH101
    rights = store.access(f"{root}/above")
    assert rights is not None
    assert rights.mode == 0o1777
    store.delete(f"{root}/above")
    store.make(f"{root}/new/deep")
    store.make(f"{root}/out")
    with pytest.raises(FileExistsError):  # not moved into it
        store.rename(f"{root}/new", f"{root}/out")
    store.remove_empty(f"{root}/new")
    assert store.names(f"{root}/new") == ["deep"]
    store.remove_empty(f"{root}/out")
    assert not store.exists(f"{root}/out")
    store.rename(f"{root}/new", f"{root}/out")
    assert store.names(f"{root}/out") == ["deep"]
    before = store.modified(f"{root}/one")
    store.touch(f"{root}/one")
    after = store.modified(f"{root}/one")
    assert before is not None
    assert after is not None
    assert after >= before
    assert store.read(f"{root}/one") == "first"
    assert (store.modified(f"{root}/none"), store.read(f"{root}/none")) == (None, None)
    store.delete(f"{root}/out")
    store.delete(f"{root}/out")
    store.make(f"{root}/last")
    store.create(f"{root}/last/one", "")
    store.delete_last(f"{root}/last/one", f"{root}/last/none")
    assert store.names(root) == ["one"]


def test_a_folder_that_another_job_removes_meanwhile_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with _another_process(lambda: LocalStore().remove_empty(str(folder))):
        for _ in range(20_000):
            LocalStore().make(str(folder))
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileExistsError):
        LocalStore().make(str(file))


def test_a_folder_is_deleted_while_a_task_of_a_dead_job_writes_to_it(tmp_path: Path) -> None:
    folder, part = tmp_path / "folder", bytes(1 << 20)

    def write(names: Iterator[int] = itertools.count()) -> None:  # noqa: B008
        with suppress(FileNotFoundError):
            (folder / str(next(names))).write_bytes(part)

    with _another_process(write):
        for _ in range(500):
            LocalStore().make(str(folder))
            while not LocalStore().names(str(folder)):
                pass
            LocalStore().delete(str(folder))
    assert not folder.exists()


@contextmanager
def _another_process(step: Callable[[], None]) -> Iterator[None]:
    """Repeat a step in a forked process."""

    def repeat() -> int:
        while True:
            step()

    pid = forked.start(repeat)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        forked.end_of(pid)


@pytest.mark.parametrize("is_atomic", [True, False], ids=["renames", "copies"])
@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_hadoop_commits_a_job(
    mode: str, is_atomic: bool, spark: SparkSession, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "old").write_text("old.1")
    store = HadoopStore(spark, f"file:{tmp_path}")
    store.is_atomic = is_atomic
    Job(output, "A", mode).run(store)  # type: ignore[arg-type]
    for file in output.glob(".*.crc"):
        file.unlink()
    new = ["A.1", "A.2"]
    assert rows(output) == (new if mode == "overwrite" else [*new, "old.1"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_viewfs_is_followed_to_the_folder_behind_its_links(
    spark: SparkSession, tmp_path: Path
) -> None:
    configuration = spark._jsc.hadoopConfiguration()
    configuration.set("fs.viewfs.mounttable.stores.link./data", tmp_path.as_uri())
    store, root = store_of(spark, "viewfs://stores/data/no such folder/out")
    assert isinstance(store, LocalStore)
    assert root == f"{tmp_path}/no such folder/out"


def test_a_store_that_copies_replaces_nothing(spark: SparkSession, tmp_path: Path) -> None:
    store = HadoopStore(spark, f"file:{tmp_path}")
    store.is_atomic = False
    for name in ("one", "two"):
        store.create(f"{tmp_path}/{name}", name)
    with pytest.raises(FileExistsError):
        store.rename(f"{tmp_path}/one", f"{tmp_path}/two")
    with pytest.raises(FileNotFoundError):
        store.rename(f"{tmp_path}/none", f"{tmp_path}/three")
    store.rename(f"{tmp_path}/one", f"{tmp_path}/three")
    assert store.names(str(tmp_path)) == ["three", "two"]


def test_a_file_that_disappears_between_two_requests_is_missing(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, gone = HadoopStore(spark, f"file:{tmp_path}"), f"file:{tmp_path}/gone"
    files = HadoopFiles(spark, gone)
    monkeypatch.setattr(HadoopFiles, "exists", lambda *_: True)
    assert (store.read(gone), store.modified(gone), store.names(gone)) == (None, None, [])
    assert (files.state(gone), files.folders(gone), files.is_folder(gone)) == (None, [], False)
