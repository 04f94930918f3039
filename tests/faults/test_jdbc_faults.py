"""A job into a table of a database is stopped before each statement and run again."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped
from tfspark.errors import OutputBusyError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.choice import output_of
from tfspark.scoring.output.jdbc import JdbcOutput
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.owner import Owner
from tfspark.spark.cluster import tables
from tfspark.spark.cluster.jdbc import Database, Transaction

pytestmark = pytest.mark.faults

OLD, NEW = ("old", 1.0), [("a", 2.0), ("b", 3.0)]
STEP = 1 if os.environ.get("ROUNDS") else 3
# The operations that change the database.
OPERATIONS = (
    (Transaction, "run"),
    (tables, "create"),
    (tables, "append_rows"),
    (tables, "rename_table"),
    (tables, "drop_table"),
)


class Job:
    """A job without a model: two rows into the table `y` of a schema."""

    def __init__(self, spark: SparkSession, database: str, mode: Mode, run_id: str = "") -> None:
        self.spark, self.mode, self.run_id, self.runs = spark, mode, run_id, 0
        self.target = Dataset(table=f"{database}.y")
        self.schema = database

    def run(self, between: Callable[[], object] = lambda: None) -> str:
        """Run the job as `execute` does, and something else before it publishes."""
        self.runs += 1
        output = output_of(self.spark, self.target, self.mode, f"run-{self.runs}")
        assert isinstance(output, JdbcOutput)
        output.check()
        rows = self.spark.createDataFrame(NEW, "v string, score double").coalesce(1)
        output.check_columns(dict(rows.dtypes))
        if output.begin(JobKey("digest", self.run_id)):
            output.acknowledge()
            return "already done"
        output.stage(rows)
        between()
        output.publish({"rows_out": 2})
        output.acknowledge()
        return "done"

    def rows(self) -> list[tuple[Any, ...]] | None:
        name = self.target.table
        if not self.spark.catalog.tableExists(name):
            return None
        return sorted(map(tuple, self.spark.table(name).collect()))

    def tables(self) -> list[str]:
        return sorted(
            r["tableName"] for r in self.spark.sql(f"SHOW TABLES IN {self.schema}").collect()
        )


def made(spark: SparkSession, database: str) -> None:
    """Create the table with its old row, in the database's own types."""
    catalog, _, schema = database.partition(".")
    connected = Database(spark, catalog)
    name = connected.quoted(schema, "y")
    with connected.transaction() as transaction:
        transaction.run(f'CREATE TABLE {name} ("v" VARCHAR(9), "score" DOUBLE)')
        transaction.run(f"INSERT INTO {name} VALUES (?, 1.0)", OLD[0])


@pytest.fixture(autouse=True)
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run belong to a process that has ended before the next run."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)


def is_stopped(job: Job, patch: pytest.MonkeyPatch, allowed: int) -> bool:
    """Run a job and stop it before an operation; return whether it had as many operations."""
    done: list[str] = []

    def stopping(real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*values: Any, **named: Any) -> Any:
            if len(done) == allowed:
                raise Stopped(f"before {real.__name__}")
            done.append(real.__name__)
            return real(*values, **named)

        return operation

    with patch.context() as stops:
        for where, name in OPERATIONS:
            stops.setattr(where, name, stopping(getattr(where, name)))
        try:
            job.run()
        except Stopped:
            return True
    assert allowed > 5
    return False


@pytest.mark.parametrize(
    ("mode", "is_there", "run_id", "first"),
    [
        ("error", False, "", 0),
        ("append", False, "mine", 1),
        ("append", True, "", 2),
        ("append", True, "mine", 0),
        ("overwrite", True, "", 1),
    ],
)
def test_stopped_before_any_statement_and_run_again(
    mode: Mode,
    is_there: bool,
    run_id: str,
    first: int,
    spark: SparkSession,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = [OLD] if is_there else None
    after = sorted([*(there or []), *NEW] if mode == "append" else NEW)
    for allowed in range(first if STEP > 1 else 0, 99, STEP):
        if is_there:
            made(spark, database)
        job = Job(spark, database, mode, run_id and f"{run_id} {allowed}")
        was_stopped = is_stopped(job, monkeypatch, allowed)
        if was_stopped:
            assert job.rows() in (there, after), allowed
            assert job.run() in ("done", "already done")
        assert job.rows() == after, allowed
        if run_id:
            assert job.run() == "already done"
        assert job.tables() == ["tfspark_runs", "y"]
        spark.sql(f"DROP TABLE {database}.y")
        if not was_stopped:
            return
    raise AssertionError("the job does not end")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_run_that_another_one_replaced_commits_nothing(
    is_there: bool, spark: SparkSession, database: str
) -> None:
    if is_there:
        made(spark, database)
    job = Job(spark, database, "append", "monday")
    with pytest.raises(OutputBusyError, match="Another run of the same job"):
        job.run(between=lambda: job.run())
    assert job.rows() == sorted([*([OLD] if is_there else []), *NEW])
    assert job.tables() == ["tfspark_runs", "y"]


def test_a_run_that_is_at_work_keeps_the_same_job_away(
    spark: SparkSession, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: False)
    job = Job(spark, database, "append", "monday")

    def again() -> None:
        with pytest.raises(OutputBusyError, match="Another run of the same job"):
            job.run()

    assert job.run(between=again) == "done"
    assert job.rows() == sorted(NEW)


def test_the_tables_of_other_dead_jobs_are_dropped(
    spark: SparkSession, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_stopped(Job(spark, database, "append", "monday"), monkeypatch, 4)
    assert Job(spark, database, "append", "tuesday").run() == "done"
    assert Job(spark, database, "append", "x").tables() == ["tfspark_runs", "y"]


@pytest.mark.parametrize("staged", ["other", "other__tfspark_x"])
def test_a_note_that_names_another_table_drops_nothing(
    spark: SparkSession, database: str, monkeypatch: pytest.MonkeyPatch, staged: str
) -> None:
    job = Job(spark, database, "append", "monday")
    assert is_stopped(job, monkeypatch, 4)
    catalog, _, schema = database.partition(".")
    connected = Database(spark, catalog)
    there, notes = connected.quoted(schema, staged), connected.quoted(schema, "tfspark_runs")
    with connected.transaction() as transaction:
        transaction.run(f'CREATE TABLE {there} ("v" VARCHAR(9))')
        transaction.run(f'UPDATE {notes} SET "staged" = ?', staged)
    assert job.run() == "done"
    assert staged in job.tables()
