"""A job that would change the rows that it reads is refused before any task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import batch_score
from tfspark.errors import OutputBusyError, UsageError
from tfspark.scoring import query
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.table_name import TableName
from tfspark.scoring.own_input import without_target
from tfspark.scoring.query import QueryJob, run_query
from tfspark.spark.cluster.sources import Source

Refuse = Callable[..., None]


@pytest.fixture
def refuse(end_of: Any, linear: Path) -> Refuse:
    """Run a job that has to be refused."""

    def run(*flags: object) -> None:
        ended = end_of(batch_score.main, "--model", linear, *flags)
        assert (ended.code, ended.spark_jobs) == (2, 0), flags
        assert "Hint: " in ended.error

    return run


@pytest.fixture
def scores(spark: SparkSession, rows: Path, tables: str) -> Iterator[str]:
    """A table of the rows, and a view `all_scores` of it."""
    spark.sql(f"CREATE TABLE {tables}.t USING parquet AS SELECT * FROM parquet.`{rows}`")
    spark.sql(f"CREATE TEMPORARY VIEW all_scores AS SELECT * FROM {tables}.t")
    yield f"{tables}.t"
    spark.catalog.dropTempView("all_scores")


@pytest.mark.parametrize(
    ("source", "target", "mode"),
    [
        ("", "", "overwrite"),
        ("", "", "append"),
        ("", "/scores", "overwrite"),
        ("/part-0.parquet", "", "append"),
        ("/part-*.parquet", "", "append"),
    ],
)
def test_a_folder_of_the_input_is_no_output(
    source: str, target: str, mode: str, refuse: Refuse, rows: Path
) -> None:
    refuse("--input", f"{rows}{source}", "--output", f"{rows}{target}", "--mode", mode)
    assert {path.name for path in rows.iterdir()} == {"part-0.parquet", "part-1.parquet"}


def test_a_table_that_is_read_is_no_output(
    refuse: Refuse, spark: SparkSession, scores: str, tables: str
) -> None:
    place = f"{spark.catalog.getDatabase(tables).locationUri}/t"
    for flags in (
        ("--input-table", scores, "--output-table", scores.upper(), "--mode", "overwrite"),
        ("--input-table", scores, "--output-table", scores, "--mode", "append"),
        ("--input-table", scores, "--output", place, "--mode", "append"),
        ("--input-table", "all_scores", "--output-table", scores, "--mode", "overwrite"),
    ):
        refuse(*flags)


def test_a_query_appends_rows_that_its_target_does_not_have(
    spark: SparkSession, rows: Path, scores: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "open_models", lambda *_: {})  # the query calls none
    text = f"SELECT a.* FROM parquet.`{rows}` a LEFT ANTI JOIN all_scores b ON a.id = b.id"
    with pytest.raises(UsageError, match="would change files in"):
        run_query(spark, QueryJob({}, text, Dataset(table=scores), "overwrite"))
    run_query(spark, QueryJob({}, text, Dataset(table=scores), "append"))
    assert spark.table(scores).count() == 5


def test_a_query_is_refused_if_another_job_publishes_after_its_plan(
    spark: SparkSession, rows: Path, scores: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark's catalog keeps the list of the files of a table."""
    monkeypatch.setattr(query, "open_models", lambda *_: {})
    text, begin = f"SELECT * FROM parquet.`{rows}`", PathOutput.begin
    target = Dataset(table=scores)

    def late(output: PathOutput, key: JobKey) -> Any:
        monkeypatch.setattr(PathOutput, "begin", begin)
        run_query(spark, QueryJob({}, text, target, "append"))
        return begin(output, key)

    monkeypatch.setattr(PathOutput, "begin", late)
    anti = f"{text} a LEFT ANTI JOIN all_scores b ON a.id = b.id"
    with pytest.raises(OutputBusyError, match="have changed"):
        run_query(spark, QueryJob({}, anti, target, "append"))
    assert spark.table(scores).count() == 10


def test_a_view_of_the_target_must_be_current_when_the_job_starts(
    spark: SparkSession, rows: Path, tables: str, linear: Path
) -> None:
    new = f"SELECT *, 0f AS outputs FROM parquet.`{rows}`"
    spark.sql(f"CREATE TABLE {tables}.y USING parquet AS {new} LIMIT 2")
    anti = f"SELECT * FROM parquet.`{rows}` a LEFT ANTI JOIN {tables}.y b ON a.id = b.id"
    spark.sql(f"CREATE OR REPLACE TEMPORARY VIEW missing AS {anti}")
    job = BatchJob(str(linear), Dataset(table="missing"), Dataset(table=f"{tables}.y"), "append")
    report = new_report("test")
    planned = plan(spark, job, report)
    spark.sql(f"INSERT INTO {tables}.y {new} a LEFT ANTI JOIN {tables}.y b ON a.id = b.id")
    with pytest.raises(OutputBusyError, match="have changed"):
        execute(spark, planned, report)
    report = new_report("test")
    assert execute(spark, plan(spark, job, report), report).rows_out == 0
    spark.catalog.dropTempView("missing")


def test_the_version_of_the_target_does_not_identify_a_job(spark: SparkSession) -> None:
    table = TableName("lake", ("db",), "scores")
    output = CatalogOutput(spark, Dataset(table="lake.db.scores"), table, "append", "run")
    own, other = (
        Source(version=f"{name} 1", table=f"`lake`.`db`.`{name}`") for name in ("scores", "rows")
    )
    assert without_target(spark, [own, other], output) == [other]
