"""The batch job into and out of tables of the real Iceberg; `tools/compat.py` runs it.

The tables are in catalogs of type `hadoop`, which cannot rename one. It needs pytest alone.
TFSPARK_COMPAT_MODELS names the folder of the models, TFSPARK_COMPAT_ICEBERG the jar of Iceberg.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest
from pyspark.sql import SparkSession

import tfspark
from jobs import batch_score
from tests.compat.one_job import (
    KILLED_JOBS,
    LINEAR,
    SCORED,
    Killed,
    kill,
    kill_before_each_operation,
    run_while_it_changes,
)
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.owner import Owner
from tfspark.spark.cluster.lakes import version_option

ICEBERG = "org.apache.iceberg.spark"
CATALOGS = {"lake": f"{ICEBERG}.SparkCatalog", "spark_catalog": f"{ICEBERG}.SparkSessionCatalog"}
ROWS = "SELECT id, float(id) a, 1f b, string(id % 2) g FROM range(5)"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spark")
    os.environ["TFSPARK_CACHE_DIR"] = str(folder / "cache")
    os.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def spark(home: Path) -> Iterator[SparkSession]:
    builder = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.jars", os.environ["TFSPARK_COMPAT_ICEBERG"])
        .config("spark.sql.extensions", f"{ICEBERG}.extensions.IcebergSparkSessionExtensions")
    )
    for name, kind in CATALOGS.items():
        builder.config(f"spark.sql.catalog.{name}", kind)
        builder.config(f"spark.sql.catalog.{name}.type", "hadoop")
        builder.config(f"spark.sql.catalog.{name}.warehouse", str(home / name))
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(params=["lake.db", "db"])
def schema(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[str]:
    """A schema of a catalog of its own, and of the session's catalog."""
    name = str(request.param)
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
    yield name
    for table in ("scored", "source", "own", "kept", "other"):  # the session's catalog lists none
        spark.sql(f"DROP TABLE IF EXISTS {name}.{table} PURGE")


@pytest.fixture(scope="module")
def rows(spark: SparkSession, home: Path) -> str:
    folder = str(home / "rows")
    spark.sql(ROWS).write.parquet(folder)
    return folder


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the job in the session of the tests, which it must not stop; return its exit code."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)

    def run(*flags: str, feed: str = "inputs=a,b") -> int:
        return batch_score.main(["--model", LINEAR, "--feed", feed, *flags])

    return run


def scored(spark: SparkSession, table: str) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.table(table).select("id", "outputs").collect()))


def described(spark: SparkSession, table: str) -> str:
    """Return everything that a table has, except its rows."""
    lines = spark.sql(f"SHOW CREATE TABLE {table}").collect()[0][0].splitlines()
    return "\n".join(line for line in lines if "snapshot" not in line)


def snapshots(spark: SparkSession, table: str) -> int:
    return spark.table(f"{table}.snapshots").count()


def test_a_table_is_created(spark: SparkSession, rows: str, score: Any) -> None:
    spark.sql("CREATE SCHEMA IF NOT EXISTS lake.db")
    flags = ["--input", rows, "--output-table", "lake.db.scored", "--partition-by", "g"]
    assert score(*flags) == 0
    assert scored(spark, "lake.db.scored") == SCORED
    assert "PARTITIONED BY (g)" in described(spark, "lake.db.scored")
    assert score(*flags) == 73
    assert score("--input", rows, "--output-table", "lake.nowhere.scored") == 2
    assert snapshots(spark, "lake.db.scored") == 1
    spark.sql("DROP TABLE lake.db.scored PURGE")


def test_a_table_is_appended_to_and_overwritten(
    spark: SparkSession, schema: str, rows: str, score: Any
) -> None:
    table = f"{schema}.scored"
    spark.sql(
        f"CREATE TABLE {table} (id BIGINT, a FLOAT, b FLOAT, g STRING COMMENT 'group', "
        "outputs FLOAT) USING iceberg PARTITIONED BY (g, bucket(4, id)) COMMENT 'scores' "
        "TBLPROPERTIES ('team' = 'x')"
    )
    before = described(spark, table)
    flags = ["--input", rows, "--output-table", table]
    assert score(*flags) == 73
    for times in (1, 2):
        assert score(*flags, "--mode", "append") == 0
        assert scored(spark, table) == sorted(SCORED * times)
    assert score(*flags, "--mode", "overwrite") == 0
    assert scored(spark, table) == SCORED
    assert described(spark, table) == before
    assert snapshots(spark, table) == 3


def test_partitions_are_overwritten_in_one_snapshot(
    spark: SparkSession, schema: str, rows: str, score: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    table, other = f"{schema}.scored", f"{schema}.other"
    columns = "(id BIGINT, a FLOAT, b FLOAT, g STRING, outputs FLOAT) USING iceberg"
    spark.sql(f"CREATE TABLE {table} {columns} PARTITIONED BY (g)")
    spark.sql(f"INSERT INTO {table} VALUES (7, 7f, 7f, 'kept', 7f), (8, 8f, 8f, '1', 8f)")
    flags = ["--input", rows, "--mode", "overwrite-partitions", "--run-id", "monday"]
    for _ in range(2):
        assert score(*flags, "--output-table", table) == 0
        assert scored(spark, table) == [*SCORED, (7, 7.0)]
        assert snapshots(spark, table) == 2
    spark.sql(f"CREATE TABLE {other} {columns}")
    assert score(*flags, "--output-table", other) == 2
    assert "has no partitions to overwrite" in capfd.readouterr().err


def test_a_killed_append_adds_its_rows_once(
    spark: SparkSession, schema: str, rows: str, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = f"{schema}.scored"
    spark.sql(
        f"CREATE TABLE {table} (id BIGINT, a FLOAT, b FLOAT, g STRING, outputs FLOAT) USING iceberg"
    )
    before = described(spark, table)
    flags = ["--input", rows, "--output-table", table, "--mode", "append"]
    with monkeypatch.context() as patch:
        patch.setattr(CatalogOutput, "acknowledge", kill)
        with pytest.raises(Killed):
            score(*flags)
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    assert scored(spark, table) == SCORED
    assert score(*flags) == 0
    assert scored(spark, table) == SCORED
    assert described(spark, table) == before
    for times, run_id in ((2, "monday"), (2, "monday"), (3, "tuesday")):
        assert score(*flags, "--run-id", run_id) == 0
        assert scored(spark, table) == sorted(SCORED * times)
    assert described(spark, table) == before


@KILLED_JOBS
def test_killed_before_each_operation_and_run_again(
    mode: str,
    is_there: bool,
    run_id: str,
    spark: SparkSession,
    rows: str,
    score: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    spark.sql("CREATE SCHEMA IF NOT EXISTS lake.db")
    table = "lake.db.scored"

    def run(mode: str, key: str) -> None:
        flags = ["--input", rows, "--output-table", table, "--mode", mode]
        assert score(*flags, *(["--run-id", key] if key else [])) == 0

    def there() -> object:
        return scored(spark, table) if spark.catalog.tableExists(table) else None

    def drop() -> None:
        assert "tfspark" not in described(spark, table)
        spark.sql(f"DROP TABLE {table} PURGE")

    kill_before_each_operation(mode, is_there, run_id, run, there, drop, monkeypatch)


def test_a_killed_creation_is_found_done(
    spark: SparkSession, rows: str, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--input", rows, "--output-table", "lake.db.scored"]
    with monkeypatch.context() as patch:
        patch.setattr(CatalogOutput, "acknowledge", kill)
        with pytest.raises(Killed):
            score(*flags)
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    assert score(*flags) == 0
    assert score(*flags) == 73
    assert scored(spark, "lake.db.scored") == SCORED
    assert "tfspark" not in described(spark, "lake.db.scored")
    spark.sql("DROP TABLE lake.db.scored PURGE")


def test_deleted_rows_are_not_scored(
    spark: SparkSession, schema: str, rows: str, score: Any, home: Path
) -> None:
    source, target = f"{schema}.source", str(home / "out" / schema)
    spark.sql(
        f"CREATE TABLE {source} USING iceberg TBLPROPERTIES ('format-version' = '2', "
        f"'write.delete.mode' = 'merge-on-read') AS {ROWS}"
    )
    spark.sql(f"DELETE FROM {source} WHERE id = 3")
    assert score("--input-table", source, "--output", target) == 0
    found = sorted(map(tuple, spark.read.parquet(target).select("id", "outputs").collect()))
    assert found == [row for row in SCORED if row[0] != 3]


def test_a_job_over_another_snapshot_is_another_job(
    spark: SparkSession, schema: str, score: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    source, target = f"{schema}.source", str(home / "states" / schema)
    spark.sql(f"CREATE TABLE {source} USING iceberg AS {ROWS}")
    flags = ["--input-table", source, "--output", target, "--mode", "append"]
    for rows, inserted in ((5, False), (16, True)):
        with monkeypatch.context() as patch:
            patch.setattr(PathOutput, "acknowledge", kill)
            with pytest.raises(Killed):
                score(*flags)
        if inserted:
            spark.sql(f"INSERT INTO {source} VALUES (9, 9f, 1f, '1')")
        assert score(*flags) == 0
        assert spark.read.parquet(target).count() == rows


@pytest.mark.parametrize("kind", ["table", "path", "relative"])
def test_a_snapshot_is_pinned_while_it_is_read(spark: SparkSession, kind: str, home: Path) -> None:
    spark.sql(f"CREATE TABLE lake.db.source USING iceberg AS {ROWS}")
    table = Dataset(table="lake.db.source")
    place = home / "lake" / "db" / "source"
    path = os.path.relpath(place) if kind == "relative" else str(place)
    source = table if kind == "table" else Dataset(path, format="iceberg")
    target = Dataset(f"{home}/pinned-{kind}")
    job = BatchJob(LINEAR, source, target, feed={"inputs": ["a", "b"]})
    insert = "INSERT INTO lake.db.source VALUES (9, 9f, 1f, '1')"
    first, later = run_while_it_changes(spark, job, lambda: spark.sql(insert))
    assert spark.read.parquet(target.path).count() == 5
    current = spark.sql("SELECT snapshot_id FROM lake.db.source.refs").collect()[0][0]
    assert later.endswith(f", version {current}")
    assert first.partition(", version ")[0] == later.partition(", version ")[0]
    assert first != later
    spark.sql("DROP TABLE lake.db.source PURGE")


def test_an_old_snapshot_is_read(spark: SparkSession, score: Any, home: Path) -> None:
    spark.sql(f"CREATE TABLE lake.db.source USING iceberg AS {ROWS}")
    first = spark.sql("SELECT snapshot_id FROM lake.db.source.refs").collect()[0][0]
    spark.sql("INSERT INTO lake.db.source VALUES (9, 9f, 1f, '1')")
    flags = ["--input", f"{home}/lake/db/source", "--input-format", "iceberg"]
    target = str(home / "old-snapshot")
    option = f"{version_option(spark.version, 'iceberg')}={first}"
    assert score(*flags, "--option", option, "--output", target) == 0
    assert spark.read.parquet(target).count() == 5
    spark.sql("DROP TABLE lake.db.source PURGE")


@pytest.mark.skipif(
    pyspark.__version__.startswith(("3.", "4.0.")), reason="SQL calls models from Spark 4.1 on"
)
def test_rows_are_merged(spark: SparkSession) -> None:
    spark.sql("CREATE TABLE lake.db.merged USING iceberg AS SELECT id, 0f score FROM range(3)")
    tfspark.register(spark, "tfpredict", tfspark.load(LINEAR))
    spark.sql(
        "MERGE INTO lake.db.merged t USING (SELECT id, tfpredict(array(float(id), 1f)) AS score "
        "FROM range(2, 5)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET score = s.score "
        "WHEN NOT MATCHED THEN INSERT *"
    )
    found = sorted(map(tuple, spark.table("lake.db.merged").collect()))
    assert found == [(0, 0.0), (1, 0.0), *SCORED[2:]]
    spark.sql("DROP TABLE lake.db.merged PURGE")


def test_a_table_is_not_appended_to_itself(spark: SparkSession, schema: str, score: Any) -> None:
    table = f"{schema}.own"
    spark.sql(f"CREATE TABLE {table} USING iceberg AS SELECT *, 0f AS outputs FROM ({ROWS})")
    flags = ["--input-table", table, "--keep", "id,a,b,g", "--output-table", table]
    assert score(*flags, "--mode", "append") == 2
    assert spark.table(table).count() == 5


def test_a_table_is_overwritten_with_its_own_rows(
    spark: SparkSession, schema: str, score: Any
) -> None:
    table = f"{schema}.own"
    spark.sql(f"CREATE TABLE {table} USING iceberg AS SELECT *, 0f AS outputs FROM ({ROWS})")
    flags = ["--input-table", table, "--keep", "id,a,b,g", "--output-table", table]
    assert score(*flags, "--mode", "overwrite") == 0
    assert scored(spark, table) == SCORED


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_failed_job_leaves_the_table_as_it_was(
    spark: SparkSession, schema: str, rows: str, score: Any, mode: str, home: Path
) -> None:
    table, bad = f"{schema}.kept", str(home / f"bad-{schema}-{mode}")
    spark.sql(f"SELECT id, IF(id = 4, 1e300, double(id)) a, 1f b FROM ({ROWS})").write.parquet(bad)
    spark.sql(f"CREATE TABLE {table} (id BIGINT, a DOUBLE, b FLOAT, outputs FLOAT) USING iceberg")
    spark.sql(f"INSERT INTO {table} VALUES (7, 7d, 7f, 7f)")
    before = snapshots(spark, table)
    assert score("--input", bad, "--output-table", table, "--mode", mode) == 65
    assert (scored(spark, table), snapshots(spark, table)) == ([(7, 7.0)], before)
    assert score("--input", bad, "--output-table", f"{schema}.new") == 65
    assert not spark.catalog.tableExists(f"{schema}.new")


def test_rows_of_other_columns_are_refused(
    spark: SparkSession, schema: str, rows: str, score: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    table = f"{schema}.other"
    spark.sql(f"CREATE TABLE {table} (id BIGINT, y FLOAT) USING iceberg")
    flags = ["--input", rows, "--output-table", table, "--keep", "id", "--mode", "append"]
    assert score(*flags) == 65
    assert "The rows do not have the columns of the table" in capfd.readouterr().err
    assert snapshots(spark, table) == 0
    assert score(*flags, "--fetch", "outputs=y") == 0
    assert spark.table(table).count() == 5


def test_the_folder_of_a_table_is_no_input_and_no_output(
    spark: SparkSession,
    rows: str,
    score: Any,
    home: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spark.sql(f"CREATE TABLE lake.db.folder USING iceberg PARTITIONED BY (g) AS {ROWS}")
    folder = home / "lake" / "db" / "folder"
    for path in (folder, folder / "data", folder / "data" / "g=1", folder / "data" / "*"):
        assert score("--input", str(path), "--output", str(home / "no")) == 65
        said = capfd.readouterr().err
        assert "an Iceberg table" in said
        assert "--input-table" in said
    for path in (folder, folder / "data"):
        assert score("--input", rows, "--output", str(path), "--mode", "append") == 65
        assert "--output-table" in capfd.readouterr().err
    spark.sql("DROP TABLE lake.db.folder PURGE")
