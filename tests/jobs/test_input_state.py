"""Which runs are the same job: the state of the input shows it, or only a run id can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped
from tfspark.scoring.batch import new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.input.spark_input import snapshot_of
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.pinned_input import log_unpinned
from tfspark.spark.cluster.result_settings import result_settings
from tfspark.spark.cluster.sources import Source, sources_of


@pytest.fixture
def database(spark: SparkSession) -> Iterator[str]:
    """A view of a table in a database; rows are added through the same reader and writer."""
    url = f"jdbc:derby:memory:state{uuid4().hex};create=true"
    options = {"url": url, "dbtable": "points"}
    spark.sql("SELECT 1f x0, 2f x1").write.format("jdbc").options(**options).save()
    spark.read.format("jdbc").options(**options).load().createOrReplaceTempView("in_a_database")
    yield "in_a_database"
    spark.catalog.dropTempView("in_a_database")


def test_only_a_run_id_makes_two_runs_over_a_database_the_same_job(
    score: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    output = tmp_path / "out"
    flags = ("--input-table", database, "--feed", "inputs=x0,x1", "--output", output)
    flags = (*flags, "--mode", "append")

    def stop(*_: object) -> None:
        raise Stopped

    for run_id, rows in (((), 2), (("--run-id", "monday"), 3)):
        with monkeypatch.context() as patch:
            patch.setattr(PathOutput, "acknowledge", stop)
            with pytest.raises(Stopped):
                score(*flags, *run_id)
        again = score(*flags, *run_id)
        assert ("already done" in again.stdout) == bool(run_id)
        assert pq.read_table(output).num_rows == rows
        assert run_id or [path.name for path in tmp_path.iterdir()] == ["out"]


def test_all_sources_of_a_query_count(
    spark: SparkSession, rows: Path, database: str, tables: str
) -> None:
    files, hive = f"SELECT id FROM parquet.`{rows}`", f"{tables}.lines"
    spark.sql(f"CREATE TABLE {hive} (id INT, g INT) USING hive PARTITIONED BY (g)")
    spark.sql(f"INSERT INTO {hive} PARTITION (g = 1) VALUES (1)")

    def state(query: str) -> list[object] | None:
        return snapshot_of(spark, sources_of(spark.sql(query)))

    assert state("SELECT 1 a") == ["OneRowRelation"]
    assert len(state(files) or ()) == 4
    assert state(f"SELECT * FROM {database}") is None
    assert state(f"{files} UNION ALL SELECT 1 FROM {database}") is None
    assert state(f"{files} WHERE id > (SELECT max(x0) FROM {database})") is None
    before = state(f"SELECT id FROM {hive}")
    assert before is not None
    spark.sql(f"INSERT INTO {hive} PARTITION (g = 1) VALUES (2)")
    assert state(f"SELECT id FROM {hive}") not in (None, before)


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        (Source(("file:/a",), "3"), True),
        (Source(("file:/a",)), False),
        (Source((), "Range"), False),
    ],
)
def test_tables_that_are_not_pinned_are_logged(
    source: Source, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        log_unpinned([source])
    assert ("not pinned" in caplog.text) == is_told


@pytest.mark.parametrize(("zone", "is_equal"), [("Etc/UTC", True), ("GMT+8:0", False)])
def test_names_of_one_time_zone_are_equal(zone: str, is_equal: bool, spark: SparkSession) -> None:
    before = result_settings(spark)
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        assert (result_settings(spark) == before) == is_equal
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("spark.sql.session.timeZone", "Asia/Tokyo"),
        ("spark.sql.legacy.timeParserPolicy", "LEGACY"),
        ("spark.sql.parquet.datetimeRebaseModeInRead", "LEGACY"),
    ],
)
def test_settings_that_change_values_make_another_job(
    setting: str, value: str, spark: SparkSession, linear: Path, rows: Path, tmp_path: Path
) -> None:
    job = BatchJob(str(linear), Dataset(str(rows)), Dataset(str(tmp_path / "out")))
    before = [plan(spark, job, new_report("test")).job for _ in range(2)]
    old = spark.conf.get(setting, None)
    spark.conf.set(setting, value)
    try:
        after = plan(spark, job, new_report("test")).job
    finally:
        spark.conf.unset(setting) if old is None else spark.conf.set(setting, old)
    assert before[0] == before[1] != after
