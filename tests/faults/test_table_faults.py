"""A job into a table is stopped before each operation and run again: the table is exact."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped, StoppingStore
from tfspark.errors import OutputBusyError
from tfspark.scoring import recover
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output import folder, session_tables, table
from tfspark.scoring.output.choice import output_of
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.table import TableOutput
from tfspark.spark.cluster.files import local_path

pytestmark = pytest.mark.faults

OLD, NEW = [("old", "a"), ("old", "b")], [("new", "b"), ("new", "c")]
MOST = 200
# Every operation costs two runs, so each case tests only some operations, with a different start.
STEP = 1 if os.environ.get("ROUNDS") else 9
# The operations that change the catalog.
CATALOG = (
    (table, "create_like"),
    (table, "insert"),
    (session_tables.SessionTables, "drop"),
    (session_tables, "register_managed"),
    (session_tables, "find_partitions"),
    (session_tables, "forget_contents"),
)


class Job:
    """A job without a model: two rows into the table `y` of a schema."""

    def __init__(self, spark: SparkSession, schema: str, mode: Mode, by: str, run_id: str) -> None:
        self.spark, self.mode, self.run_id = spark, mode, run_id
        self.target = Dataset(table=f"{schema}.y", partition_by=(by,) if by else ())
        self.schema, self.runs = schema, 0

    @property
    def warehouse(self) -> Path:
        place = local_path(self.spark.catalog.getDatabase(self.schema).locationUri)
        assert place is not None
        return place

    def run(self) -> str:
        """Run the job as `execute` does; return how it ended."""
        self.runs += 1
        output = output_of(self.spark, self.target, self.mode, f"run-{self.runs}")
        assert isinstance(output, PathOutput)
        try:
            return self._run(output)
        finally:
            output._commit.lock.silence()

    def _run(self, output: PathOutput) -> str:
        output.check()
        rows = self.spark.sql(f"SELECT * FROM VALUES {NEW[0]}, {NEW[1]} AS t(v, g)").coalesce(1)
        output.check_columns(dict(rows.dtypes))
        if output.begin(JobKey("digest", self.run_id)):
            output.acknowledge()
            return "already done"
        output.stage(rows)
        output.publish({"rows": 2})
        output.acknowledge()
        return "done"

    def rows(self) -> list[tuple[str, str]] | None:
        """Return the rows that a reader of another session sees; `None` without a table."""
        name = self.target.table
        if not self.spark.catalog.tableExists(name):
            return None
        self.spark.catalog.refreshTable(name)
        return sorted(map(tuple, self.spark.table(name).collect()))

    def names(self) -> tuple[list[str], list[str]]:
        """Return the tables of the schema, and the names in its folder."""
        tables = self.spark.sql(f"SHOW TABLES IN {self.schema}").collect()
        folders = [one.name for one in self.warehouse.iterdir()]
        own = [row["tableName"] for row in tables if not row["isTemporary"]]
        return own, sorted(folders)


@pytest.fixture(autouse=True)
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run belong to a process that has ended before the next run."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)


@pytest.fixture
def schema(spark: SparkSession) -> Iterator[str]:
    spark.sql("CREATE SCHEMA table_faults")
    yield "table_faults"
    spark.sql("DROP SCHEMA table_faults CASCADE")


def made(spark: SparkSession, schema: str, by: str) -> None:
    """Create the table with its old rows."""
    partitioned = f"PARTITIONED BY ({by})" if by else ""
    spark.sql(
        f"CREATE TABLE {schema}.y (v STRING COMMENT 'a value', g STRING) USING parquet "
        f"{partitioned} COMMENT 'kept' TBLPROPERTIES ('team' = 'x')"
    )
    spark.sql(f"INSERT INTO {schema}.y VALUES {OLD[0]}, {OLD[1]}")


def described(spark: SparkSession, schema: str) -> list[str]:
    lines = spark.sql(f"SHOW CREATE TABLE {schema}.y").collect()[0][0].splitlines()
    return [line for line in lines if "lastDdlTime" not in line]


def stopping(real: Callable[..., Any], store: StoppingStore) -> Callable[..., Any]:
    """Return an operation of the catalog that counts among those of a store."""

    def operation(*values: Any, **named: Any) -> Any:
        if len(store.done) == store.allowed:
            raise Stopped(f"before {real.__name__}")
        store.done.append(real.__name__)
        return real(*values, **named)

    return operation


def stopped(job: Job, patch: pytest.MonkeyPatch, first: int) -> Iterator[int]:
    """Yield after the job was stopped before operation `first`, `first` + STEP, … of all."""
    for allowed in range(first if STEP > 1 else 0, MOST, STEP):
        store = StoppingStore(allowed)
        with patch.context() as stops:
            stops.setattr(folder, "store_of", lambda _, path, to=store: (to, path[5:]))
            for where, name in CATALOG:
                stops.setattr(where, name, stopping(getattr(where, name), store))
            try:
                job.run()
            except Stopped:
                pass
            else:
                assert allowed > 25
                return
        yield allowed
    raise AssertionError("the job does not end")


def is_readable(seen: Any, job: Job, there: list[tuple[str, str]] | None, by: str) -> bool:
    """Whether a reader sees the old rows, the new rows, or whole appended files."""
    if seen in (there, after(there, job)):
        return True
    if not by or seen is None:
        return False
    kept = set(there or []) & set(after(there, job))
    replaced = set(there or []) if job.mode == "overwrite-partitions" else set()
    # The catalog gets new partitions later.
    return kept <= set(seen) <= kept | set(NEW) | replaced


def after(there: list[tuple[str, str]] | None, job: Job) -> list[tuple[str, str]]:
    """Return the rows after the job."""
    replaced = {group for _, group in NEW}
    kept = {
        "append": there or [],
        "overwrite-partitions": [row for row in there or [] if row[1] not in replaced],
    }
    return sorted([*kept.get(job.mode, []), *NEW])


@pytest.mark.parametrize(
    ("mode", "is_there", "by", "run_id", "first"),
    [
        ("error", False, "", "", 0),
        ("error", False, "g", "mine", 5),
        ("overwrite", True, "", "", 2),
        ("overwrite", True, "g", "", 7),
        ("append", True, "", "mine", 4),
        ("append", True, "g", "", 8),
        ("overwrite-partitions", True, "g", "", 3),
    ],
)
def test_stopped_before_any_operation_and_run_again(
    mode: Mode,
    is_there: bool,
    by: str,
    run_id: str,
    first: int,
    spark: SparkSession,
    schema: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Job(spark, schema, mode, "" if is_there else by, run_id)
    there, place, before = None, job.warehouse / "y", None
    if is_there:
        made(spark, schema, by)
        there, before = OLD, described(spark, schema)
        shutil.copytree(place, tmp_path / "old")
    wanted = after(there, job)
    for allowed in stopped(job, monkeypatch, first):
        assert is_readable(job.rows(), job, there, by), allowed
        assert job.run() in ("done", "already done")
        assert job.rows() == wanted, allowed
        if run_id:
            assert job.run() == "already done"
        else:
            assert job.names() == (["y"], ["y"])
        assert before is None or described(spark, schema) == before
        shutil.rmtree(job.warehouse / ".y.tfspark", ignore_errors=True)
        if is_there:
            shutil.rmtree(place)
            shutil.copytree(tmp_path / "old", place)
            if by:
                spark.sql(f"MSCK REPAIR TABLE {schema}.y SYNC PARTITIONS")
        else:
            spark.sql(f"DROP TABLE {schema}.y")


@pytest.mark.parametrize("of_table", [True, False])
def test_stopped_twice_after_the_rows_were_counted(
    of_table: bool, spark: SparkSession, schema: str, tmp_path: Path, monkeypatch: Any
) -> None:
    job = Job(spark, schema, "append", "g", "")
    if not of_table:
        job.target = Dataset(str(tmp_path / "y"), partition_by=("g",))
    with monkeypatch.context() as patch:
        patch.setattr(Commit, "publish", stopping(print, StoppingStore(0)))
        for _ in range(2):
            with pytest.raises(Stopped):
                job.run()
    assert job.run() == "done"
    there = spark.table(job.target.table) if of_table else spark.read.parquet(str(tmp_path / "y"))
    assert sorted(map(tuple, there.collect())) == NEW


@pytest.mark.parametrize("step", ["publish", "acknowledge"])
def test_bad_rows_of_a_table_are_not_shown_twice(
    step: str, spark: SparkSession, schema: str, linear: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    for number, width in enumerate((2, 2, 1)):
        features = pa.array([[1.0] * width], pa.list_(pa.float32()))
        path = tmp_path / "rows" / f"{number}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"features": features}), path)
    source, bad = Dataset(str(tmp_path / "rows")), tmp_path / "bad"
    target = Dataset(table=f"{schema}.y")
    job = BatchJob(str(linear), source, target, "append", bad_rows=str(bad))
    with monkeypatch.context() as patch:
        patch.setattr(TableOutput, step, stopping(print, StoppingStore(0)))
        patch.setattr(Commit, "suspend", lambda commit: commit.lock.silence())  # as a kill does
        first = new_report("test")
        with pytest.raises(Stopped):
            execute(spark, plan(spark, job, first), first)
    again = new_report("test")
    done = execute(spark, plan(spark, job, again), again)
    assert done.run == (first if step == "acknowledge" else again).run
    assert (done.rows_in, done.rows_out, done.bad_rows) == (3, 2, 1)
    assert (spark.table(f"{schema}.y").count(), pq.read_table(bad).num_rows) == (2, 1)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad", "rows"]


def stop_before_it_is_registered(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a job after the files of its new table are published."""
    with monkeypatch.context() as patch:
        patch.setattr(session_tables, "register_managed", stopping(print, StoppingStore(0)))
        with pytest.raises(Stopped):
            job.run()


@pytest.mark.parametrize("text", ["table_faults.y", "{folder}"])
def test_recover_finishes_a_table(
    text: str, spark: SparkSession, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, schema, "error", "g", "")
    stop_before_it_is_registered(job, monkeypatch)
    assert job.rows() is None
    assert recover(spark, text.format(folder=job.warehouse / "y")) == ["run-1"]
    assert job.rows() == NEW
    assert job.run() == "already done"
    assert job.names() == (["y"], ["y"])


def test_a_folder_job_finishes_the_table_of_its_folder(
    spark: SparkSession, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(spark, schema, "error", "", "")
    stop_before_it_is_registered(job, monkeypatch)
    output = PathOutput(spark, Dataset(str(job.warehouse / "y")), "append", "another")
    assert output.begin(JobKey("another")) is None
    output.discard()
    assert job.rows() == NEW


def test_a_job_on_the_folder_keeps_a_job_on_the_table_away(
    spark: SparkSession, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: False)
    job = Job(spark, schema, "append", "", "")
    places = Places(str(job.warehouse / "y"))
    lock = Lock(LocalStore(), places, "folder", Owner.this_process())
    lock.acquire()
    with pytest.raises(OutputBusyError, match="run folder"):
        job.run()
    lock.release()
    assert job.names() == ([], [])
