"""A job on HDFS is stopped before any operation of its commit, and run again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.faults.minidfs import minidfs
from tests.faults.stopping_store import Stopped, Stopping
from tests.faults.test_commit_faults import PARTS, killed
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.places import Places
from tfspark.spark.cluster.strict_files import HadoopStore

pytestmark = pytest.mark.faults

STEP = 1 if os.environ.get("ROUNDS") else 6


class StoppingHadoopStore(Stopping, HadoopStore):
    """A Hadoop file system; stops its job before one operation."""


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with minidfs(tmp_path_factory.mktemp("hdfs")) as uri:
        yield uri


def run(store: HadoopStore, output: str, mode: Mode, number: int) -> None:
    """Run a job without tasks, with text files."""
    commit = Commit(Lock(store, Places(output), f"A{number}", killed()))
    try:
        if commit.begin(JobKey("A")):
            commit.acknowledge()
            return
        commit.open_work()
        new = f"{commit.work}/new"
        store.make(new)
        there = {store.read(f"{new}/{name}") for name in store.names(new)}
        for part in PARTS:
            if part not in there:
                store.create(f"{new}/A{number}-{part}", part)
        commit.publish(mode, store.names(new), {})
        commit.acknowledge()
    finally:
        commit.lock.silence()


@pytest.mark.parametrize(
    ("first", "mode", "is_there"),
    [(0, "error", False), (1, "overwrite", True), (2, "append", True)],
)
def test_stopped_before_any_operation_and_run_again(
    first: int, mode: Mode, is_there: bool, spark: SparkSession, hdfs: str, figure: Any
) -> None:
    store = StoppingHadoopStore(spark, hdfs)
    assert store.is_atomic
    old = ["old"] if is_there else []
    for allowed in range(first if STEP > 1 else 0, 100, STEP):
        place = f"{hdfs}/{mode}/{allowed}"
        store.make(f"{place}/out" if is_there else place)
        if is_there:
            store.create(f"{place}/out/old", "old")
        store.done, store.allowed = [], allowed
        try:
            run(store, f"{place}/out", mode, 1)
            stopped = False
        except Stopped:
            stopped = True
        store.allowed = None
        if stopped:
            run(store, f"{place}/out", mode, 2)
        rows = [store.read(f"{place}/out/{name}") for name in store.names(f"{place}/out")]
        assert sorted(map(str, rows)) == sorted([*PARTS, *(old if mode == "append" else [])])
        assert store.names(place) == ["out"]
        if not stopped:
            figure(f"hdfs, {mode}: {allowed // STEP} stops")
            assert allowed > 15
            return
    raise AssertionError("the job does not end")
