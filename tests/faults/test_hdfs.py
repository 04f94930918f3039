"""A job on HDFS is stopped before any operation of its commit, and run again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.faults.hadoop_commits import StoppingHadoopStore, run
from tests.faults.numbered_rows import NEW
from tests.faults.stopping_store import Stopped
from tests.faults.test_commit_faults import PARTS
from tests.minidfs import minidfs
from tfspark.errors import UsageError
from tfspark.scoring.output.folder_rules import refuse_own_input
from tfspark.scoring.output.journal import Mode
from tfspark.spark.cluster.files import HadoopFiles

pytestmark = pytest.mark.faults

STEP = 1 if os.environ.get("ROUNDS") else 6


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with minidfs(tmp_path_factory.mktemp("hdfs")) as uri:
        yield uri


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


def test_a_rename_is_tried_without_a_change(spark: SparkSession, hdfs: str) -> None:
    store = StoppingHadoopStore(spark, hdfs)
    out, work = f"{hdfs}/tried/out", f"{hdfs}/tried/work"
    for folder in (out, work):
        store.make(f"{folder}/in")
    assert (store.reason_to_stay(out, work), store.reason_to_refuse(out, work)) == ("", "")
    store._fs.setQuota(store._path(out), 2, 2**63 - 1)  # the folder and the one in it
    assert "quota" in store.reason_to_refuse(out, work)
    assert store.names(out) == ["in"]
    assert "work-gone" in store.reason_to_stay(out, f"{hdfs}/tried/work-gone/probe")
    assert store.names(out) == ["in"]


def test_an_input_by_another_name_of_the_file_system_is_refused(
    spark: SparkSession, hdfs: str
) -> None:
    other = hdfs.replace("127.0.0.1", "localhost")
    refuse_own_input(spark, f"{hdfs}/some/out", [f"{other}/some/in"], "overwrite")
    for source in ("some/out", "some/out/in", "some"):
        with pytest.raises(UsageError, match="would change"):
            refuse_own_input(spark, f"{hdfs}/some/out", [f"{other}/{source}"], "overwrite")


# Before the decision, and between the two renames of an overwrite, when there is no output.
KILLS = {"decide": "rename .*draft", "show": r"rename \('[^']*/new'"}


@pytest.mark.parametrize("step", KILLS if STEP == 1 else ["show"])
def test_a_job_with_all_files_on_hdfs_is_killed_and_run_again(
    step: str, spark: SparkSession, hdfs: str, linear: Path, numbered: Path, drive: Any, job: Any
) -> None:
    place = f"{hdfs}/{step}"
    files = HadoopFiles(spark, place)
    where = {name: f"{place}/{name}" for name in ("model", "source")}
    for name, local in (("model", linear), ("source", numbered)):
        files._fs.copyFromLocalFile(files._path(str(local)), files._path(where[name]))
    spark.read.parquet(where["source"]).limit(1).write.parquet(f"{place}/out")
    driver = drive(f"{place}/out", "--mode", "overwrite", before=KILLS[step], **where)
    driver.wait_until_planned()
    driver.go()
    assert driver.end() == -signal.SIGKILL, driver.log.read_text()
    assert files.exists(f"{place}/out") == (step == "decide")
    assert job(f"{place}/out", "--mode", "overwrite", **where) == 0
    rows = spark.read.parquet(f"{place}/out").select("id", "outputs").collect()
    assert sorted(rows) == [(one, 2.0 * one + 3.0) for one in NEW]
    assert files.children(place) == ["model", "out", "source"]
