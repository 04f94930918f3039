"""The batch job and streams into tables of the real Delta Lake; `tools/compat.py` runs it.

It needs pytest alone. TFSPARK_COMPAT_MODELS names the folder of the models, TFSPARK_COMPAT_DELTA
the jars of Delta, separated by commas.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import tfspark
from tests.compat.one_job import (
    KILLED_JOBS,
    LINEAR,
    SCORED,
    Killed,
    kill,
    kill_before_each_operation,
    run_while_it_changes,
    session_in,
)
from tfspark.errors import OutputExistsError
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.input.spark_input import snapshot_of
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.journal import Mode
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.report import Report
from tfspark.spark.cluster.sources import sources_of
from tfspark.streaming import DeltaTable

SETTINGS = {
    "spark.sql.shuffle.partitions": "2",
    "spark.jars": os.environ["TFSPARK_COMPAT_DELTA"],
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = session_in(tmp_path_factory.mktemp("spark"), SETTINGS)
    yield session
    session.stop()


@pytest.fixture
def job(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run a job that creates or writes a Delta table; each run finds the one before has ended."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    spark.sql("SELECT id, float(id) a, 1f b FROM range(5)").createOrReplaceTempView("source")
    places = Dataset(table="source"), Dataset(table="scored", format="delta")

    def run(mode: Mode = "error", run_id: str = "") -> Report:
        one = BatchJob(LINEAR, *places, mode, feed={"inputs": ["a", "b"]}, run_id=run_id)
        report = new_report("test")
        return execute(spark, plan(spark, one, report), report)

    yield run
    spark.sql("DROP TABLE IF EXISTS scored")


@pytest.fixture
def killed(job: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a job that is killed just after its commit."""

    def run(*asked: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(CatalogOutput, "acknowledge", kill)
            with pytest.raises(Killed):
                job(*asked)

    return run


def scored(spark: SparkSession) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.table("scored").select("id", "outputs").collect()))


def properties(spark: SparkSession) -> list[str]:
    rows = spark.sql("SHOW TBLPROPERTIES scored").collect()
    return [row["key"] for row in rows if row["key"].startswith("tfspark")]


def test_a_killed_creation_is_found_done(spark: SparkSession, job: Any, killed: Any) -> None:
    killed("error")
    assert scored(spark) == SCORED
    assert job("error").rows_out == 5
    assert (scored(spark), properties(spark)) == (SCORED, [])
    with pytest.raises(OutputExistsError):
        job("error")


def test_a_creation_with_a_run_id_is_done_once(spark: SparkSession, job: Any) -> None:
    first, again = job("append", "monday"), job("append", "monday")
    assert (scored(spark), properties(spark)) == (SCORED, [])
    assert again.run == first.run


def test_a_killed_append_adds_its_rows_once(spark: SparkSession, job: Any, killed: Any) -> None:
    job("append")
    killed("append")
    for times, run_id in ((2, ""), (3, "monday"), (3, "monday")):
        job("append", run_id)
        assert (scored(spark), properties(spark)) == (sorted(SCORED * times), [])
    killed("append", "tuesday")
    job("append", "tuesday")
    assert scored(spark) == sorted(SCORED * 4)


@KILLED_JOBS
def test_killed_before_each_operation_and_run_again(
    mode: str,
    is_there: bool,
    run_id: str,
    spark: SparkSession,
    job: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rows() -> object:
        return scored(spark) if spark.catalog.tableExists("scored") else None

    def drop() -> None:
        assert properties(spark) == []
        spark.sql("DROP TABLE scored")

    kill_before_each_operation(mode, is_there, run_id, job, rows, drop, monkeypatch)


def test_an_overwrite_is_one_transaction(spark: SparkSession, job: Any) -> None:
    job("append")
    before = spark.sql("DESCRIBE HISTORY scored").count()
    job("overwrite")
    assert scored(spark) == SCORED
    assert spark.sql("DESCRIBE HISTORY scored").count() == before + 1


def score_a_stream(spark: Any, place: Path, target: DeltaTable) -> None:
    """Write two micro-batches, then the first one again; version 2 scores only the second one."""
    model, log = place / "model", place / "log"
    shutil.copytree(f"{LINEAR}/1", model / "1")
    source = spark.sql("SELECT id, float(id) a, 1f b FROM range(5)").coalesce(1)
    for start in range(2):
        source.write.mode("append").parquet(str(place / "rows"))
        score = tfspark.score_batches(
            model,
            target,
            checkpoint=log,
            feed={"inputs": ["a", "b"]},
            keep=["id"],
            version_column="version",
            spark=spark,
        )
        stream = spark.readStream.schema(source.schema).parquet(str(place / "rows"))
        score.writer(stream).trigger(availableNow=True).start().awaitTermination()
        if start == 0:  # as if killed before Spark's own commit of the first micro-batch
            for commit in (log / "commits").glob("*0*"):
                commit.unlink()
            shutil.copytree(model / "1", model / "2")
    name = target.table or f"delta.`{target.path}`"
    rows = spark.sql(f"SELECT * FROM {name}").collect()
    assert sorted(map(tuple, rows)) == sorted((*row, v) for row in SCORED for v in (1, 2))
    (detail,) = spark.sql(f"DESCRIBE DETAIL {name}").collect()
    query = json.loads((log / "metadata").read_text())["id"]
    expected = [{"appId": f"tfspark-{query}", "version": batch} for batch in range(2)]
    assert transactions(Path(detail["location"].removeprefix("file:"))) == expected
    if target.table:
        spark.sql(f"DROP TABLE {target.table}")


def transactions(table: Path) -> list[dict[str, Any]]:
    """Return the application transactions in the log of a table, without their times."""
    commits = sorted((table / "_delta_log").glob("*.json"))
    actions = [json.loads(line) for commit in commits for line in commit.read_text().splitlines()]
    found = [action["txn"] for action in actions if "txn" in action]
    return [{key: one[key] for key in ("appId", "version")} for one in found]


def targets(place: Path) -> list[DeltaTable]:
    return [DeltaTable("streamed"), DeltaTable(path=str(place / "streamed"))]


@pytest.mark.parametrize("kind", [0, 1], ids=["table", "path"])
def test_a_replayed_batch_of_a_stream_is_added_once(
    spark: SparkSession, kind: int, tmp_path: Path
) -> None:
    score_a_stream(spark, tmp_path, targets(tmp_path)[kind])


@pytest.mark.skipif(find_spec("grpc_status") is None, reason="there is no Connect here")
def test_a_stream_on_connect(tmp_path: Path) -> None:
    """Runs in a new process, because a process cannot have a classic and a Connect session."""
    program = [sys.executable, __file__]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]


def score_on_connect(place: Path) -> None:
    """Score streams into a table and into a path; `test_a_stream_on_connect` runs this."""
    spark = SparkSession.builder.remote("local[2]").config(map=SETTINGS).getOrCreate()
    for target in targets(place):
        score_a_stream(spark, place / (target.table or "path"), target)
    spark.stop()


@pytest.mark.parametrize("kind", ["table", "path", "relative path"])
def test_a_version_is_pinned_while_it_is_read(
    spark: SparkSession, kind: str, tmp_path: Path
) -> None:
    rows = "SELECT id, float(id) a, 1f b FROM range(5)"
    place = tmp_path / "source"
    marks_deleted = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    spark.sql(f"CREATE TABLE source_table USING delta LOCATION '{place}' {marks_deleted} AS {rows}")
    path = Dataset(
        os.path.relpath(place) if kind == "relative path" else str(place), format="delta"
    )
    source = Dataset(table="source_table") if kind == "table" else path
    target = Dataset(str(tmp_path / "out"))
    job = BatchJob(LINEAR, source, target, feed={"inputs": ["a", "b"]})
    delete = "DELETE FROM source_table WHERE id = 3"
    first, later = run_while_it_changes(spark, job, lambda: spark.sql(delete))
    assert spark.read.parquet(target.path).count() == 5
    assert (first[-9:], later[-9:]) == ("version 0", "version 1")
    old = replace(path, options={"versionAsOf": "0"})
    assert plan(spark, replace(job, source=old, mode="append"), new_report("test"))
    spark.sql("DROP TABLE source_table")


def test_a_query_over_another_version_is_another_job(spark: SparkSession, tmp_path: Path) -> None:
    """Rows that are only marked as deleted change no file of the table."""
    marks_deleted = "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')"
    spark.sql(
        f"CREATE TABLE marked USING delta {marks_deleted} AS SELECT id FROM range(0, 5, 1, 1)"
    )
    states = []
    for _ in range(2):
        states.append(snapshot_of(spark, sources_of(spark.table("marked"))))
        spark.sql("DELETE FROM marked WHERE id = 3")
    assert states[0] != states[1]
    spark.sql("DROP TABLE marked")


def test_partitions_are_overwritten_in_one_version(spark: SparkSession) -> None:
    spark.sql(
        "CREATE TABLE parted (id BIGINT, a FLOAT, b FLOAT, outputs FLOAT, g STRING) USING delta "
        "PARTITIONED BY (g)"
    )
    spark.sql("INSERT INTO parted VALUES (7, 7f, 7f, 7f, 'kept'), (8, 8f, 8f, 8f, '1')")
    rows = spark.sql("SELECT id, float(id) a, 1f b, string(id % 2) g FROM range(5)")
    rows.createOrReplaceTempView("source")
    places = Dataset(table="source"), Dataset(table="parted", format="delta")
    job = BatchJob(
        LINEAR, *places, "overwrite-partitions", feed={"inputs": ["a", "b"]}, run_id="monday"
    )
    for _ in range(2):
        report = new_report("test")
        execute(spark, plan(spark, job, report), report)
        found = sorted(map(tuple, spark.table("parted").select("id", "outputs").collect()))
        assert found == [*SCORED, (7, 7.0)]
        assert spark.sql("DESCRIBE HISTORY parted").count() == 3
    spark.sql("DROP TABLE parted")


if __name__ == "__main__":
    score_on_connect(Path.cwd())
