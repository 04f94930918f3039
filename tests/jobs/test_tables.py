"""Tables as the output of a job: what they keep, their names, partitions, other catalogs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.batch_score import main
from tfspark.errors import InvalidInputError
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.spark.cluster.files import HadoopFiles

COLUMNS = "id INT COMMENT 'the key', outputs FLOAT COMMENT 'the prediction'"


@pytest.fixture
def grouped(tmp_path: Path, table: Any) -> Path:
    """A Parquet file with a column to partition by."""
    path = tmp_path / "grouped.parquet"
    pq.write_table(table.append_column("g", [["a", "b", "a", "b", "b"]]), path)
    return path


def described(spark: SparkSession, table: str) -> list[str]:
    """Return everything that a table has, except its rows and the time of its last change."""
    lines = spark.sql(f"SHOW CREATE TABLE {table}").collect()[0][0].splitlines()
    return sorted(line.strip().rstrip(",)") for line in lines if "lastDdlTime" not in line)


def folders_of(spark: SparkSession, schema: str) -> list[str]:
    place = spark.catalog.getDatabase(schema).locationUri
    return HadoopFiles(spark, place).children(place)


# --- what an overwritten table keeps -------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "({columns}, g STRING) USING orc OPTIONS ('orc.compress' = 'ZLIB') PARTITIONED BY (g) "
        "COMMENT 'it''s scored' TBLPROPERTIES ('team' = 'a\\'b', 'n' = '1')",
        "({columns}) PARTITIONED BY (g STRING COMMENT 'the group') STORED AS TEXTFILE "
        "TBLPROPERTIES ('team' = 'x')",
        "({columns}, g STRING) USING parquet",
    ],
)
def test_an_overwritten_table_keeps_what_it_has(
    kind: str, score: Any, spark: SparkSession, grouped: Path, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y {kind.format(columns=COLUMNS)}")
    if "PARTITIONED" in kind:
        spark.sql(f"INSERT INTO {tables}.y PARTITION (g = 'old') VALUES (7, 7f)")
    before = described(spark, f"{tables}.y")
    flags = ("--input", grouped, "--keep", "g,id", "--output-table", f"{tables}.y")
    score(*flags, "--mode", "overwrite")
    assert described(spark, f"{tables}.y") == before
    rows = spark.table(f"{tables}.y").orderBy("id").collect()
    assert [tuple(row)[:3] for row in rows[:2]] == [(0, 3.0, "a"), (1, 4.0, "b")]
    assert len(rows) == 5
    score(*flags, "--mode", "append")
    assert spark.table(f"{tables}.y").count() == 10
    assert folders_of(spark, tables) == ["y"]


def test_an_overwritten_external_table_keeps_its_folder(
    score: Any, spark: SparkSession, grouped: Path, tables: str, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    spark.sql(f"CREATE TABLE {tables}.y ({COLUMNS}) USING parquet LOCATION '{place}' COMMENT 'c'")
    spark.sql(f"INSERT INTO {tables}.y VALUES (7, 7f)")
    before = described(spark, f"{tables}.y")
    flags = ("--input", grouped, "--keep", "id", "--output-table", f"{tables}.y")
    score(*flags, "--mode", "overwrite")
    assert described(spark, f"{tables}.y") == before
    assert spark.table(f"{tables}.y").count() == 5
    assert pq.read_table(place).num_rows == 5
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("place.")]
    spark.sql(f"DROP TABLE {tables}.y")


def test_an_overwritten_external_table_keeps_its_partitions(
    score: Any, spark: SparkSession, grouped: Path, tables: str, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    spark.sql(
        f"CREATE TABLE {tables}.y ({COLUMNS}, g STRING) USING parquet PARTITIONED BY (g) "
        f"LOCATION '{place}'"
    )
    spark.sql(f"INSERT INTO {tables}.y VALUES (7, 7f, 'old'), (8, 8f, 'a')")
    before = described(spark, f"{tables}.y")
    flags = ("--input", grouped, "--keep", "id,g", "--output-table", f"{tables}.y")
    score(*flags, "--mode", "overwrite")
    assert described(spark, f"{tables}.y") == before
    assert spark.table(f"{tables}.y").where("g = 'a'").count() == 2
    partitions = spark.sql(f"SHOW PARTITIONS {tables}.y").collect()
    assert [row["partition"] for row in partitions] == ["g=a", "g=b"]
    assert sorted(path.name for path in place.glob("g=*")) == ["g=a", "g=b"]
    spark.sql(f"DROP TABLE {tables}.y")


@pytest.mark.parametrize(
    ("kept", "columns"),
    [
        ("id", "id INT, outputs DECIMAL(5, 2)"),
        ("at", "at DATE, outputs FLOAT"),
        ("s", "s STRUCT<b: INT, a: INT>, outputs FLOAT"),
    ],
)
def test_values_that_a_table_would_change_are_refused(
    kept: str, columns: str, end_of: Any, linear: Path, spark: SparkSession, tables: str
) -> None:
    rows = "array(1f, 2f) features, 1 id, TIMESTAMP'2024-01-02 03:04:05' at, struct(1 a, 2 b) s"
    spark.sql(f"SELECT {rows}").createOrReplaceTempView("typed_rows")
    spark.sql(f"CREATE TABLE {tables}.y ({columns}) USING parquet")
    flags = ("--input-table", "typed_rows", "--keep", kept, "--output-table", f"{tables}.y")
    ended = end_of(main, "--model", linear, *flags, "--mode", "append")
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert "do not have the columns" in ended.error
    assert "use CAST in a SQL job" in ended.error


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_table_with_a_partition_elsewhere_is_refused(
    mode: str,
    end_of: Any,
    linear: Path,
    spark: SparkSession,
    grouped: Path,
    tables: str,
    tmp_path: Path,
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y ({COLUMNS}, g STRING) USING parquet PARTITIONED BY (g)")
    spark.sql(f"ALTER TABLE {tables}.y ADD PARTITION (g='a') LOCATION '{tmp_path / 'elsewhere'}'")
    flags = ("--input", grouped, "--keep", "id,g", "--output-table", f"{tables}.y", "--mode", mode)
    ended = end_of(main, "--model", linear, *flags)
    assert (ended.code, ended.spark_jobs) == (2, 0)
    assert "is not in the table's folder" in ended.error


def test_old_statistics_of_an_overwritten_table_are_dropped(
    score: Any, spark: SparkSession, rows: Path, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y ({COLUMNS}) USING parquet")
    spark.sql(f"INSERT INTO {tables}.y VALUES (7, 7f)")
    spark.sql(f"ANALYZE TABLE {tables}.y COMPUTE STATISTICS")
    flags = ("--input", rows, "--keep", "id", "--output-table", f"{tables}.y")
    score(*flags, "--mode", "overwrite")
    details = spark.sql(f"DESCRIBE TABLE EXTENDED {tables}.y").collect()
    (size,) = [row["data_type"] for row in details if row["col_name"] == "Statistics"] or [""]
    assert "1 rows" not in size  # Hive writes these itself


def test_a_new_table_is_managed_and_keeps_the_columns(
    score: Any, spark: SparkSession, grouped: Path, tables: str
) -> None:
    flags = ("--input", grouped, "--partition-by", "g", "--keep", "id,g")
    score(*flags, "--output-table", f"{tables}.y", "--output-format", "orc")
    details = spark.sql(f"DESCRIBE TABLE EXTENDED {tables}.y").collect()
    about = {row["col_name"]: row["data_type"] for row in details}
    assert (about["Type"], about["Provider"]) == ("MANAGED", "orc")
    assert spark.table(f"{tables}.y").where("g = 'b'").count() == 3
    assert folders_of(spark, tables) == ["y"]
    spark.sql(f"DROP TABLE {tables}.y")
    assert folders_of(spark, tables) == []


@pytest.mark.parametrize(
    ("mode", "columns"),
    [
        ("append", "id INT, other FLOAT"),
        ("overwrite", "id INT, other FLOAT"),
        ("append", "id INT, outputs INT"),
        ("overwrite", "id SMALLINT, outputs FLOAT"),
    ],
)
def test_rows_of_other_columns_are_refused(
    mode: str,
    columns: str,
    end_of: Any,
    linear: Path,
    spark: SparkSession,
    rows: Path,
    tables: str,
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y ({columns})")
    flags = ("--input", rows, "--keep", "id", "--output-table", f"{tables}.y", "--mode", mode)
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 65
    assert "found:    id int, outputs float" in ended.error


def test_a_wider_column_takes_the_rows(
    score: Any, spark: SparkSession, rows: Path, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y (outputs DOUBLE, id BIGINT)")
    flags = ("--input", rows, "--keep", "id", "--output-table", f"{tables}.y", "--mode", "append")
    score(*flags)
    assert spark.table(f"{tables}.y").where("id = 1").collect()[0]["outputs"] == 4.0


def test_nothing_is_appended_when_the_input_changed(
    spark: SparkSession, linear: Path, rows: Path, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y (id INT, outputs FLOAT)")
    job = BatchJob(
        str(linear), Dataset(str(rows)), Dataset(table=f"{tables}.y"), mode="append", keep=["id"]
    )
    report = new_report("test")
    planned = plan(spark, job, report)
    pq.write_table(pq.read_table(rows / "part-1.parquet").slice(1), rows / "part-1.parquet")
    with pytest.raises(InvalidInputError, match="part-1"):
        execute(spark, planned, report)
    assert spark.table(f"{tables}.y").count() == 0


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code", "error"),
    [
        ("scores.`a-b`", 2, "cannot be the name of a table"),
        ("scores.größe", 2, "found:    größe"),
        (f"scores.{'y' * 256}", 2, "found:    256 characters"),
        ("scores.`a.b`", 2, "cannot be the name of a table"),
        ("nocat.scores.y", 2, "There is no catalog 'nocat'"),
        ("nowhere.y", 2, "There is no schema `nowhere`"),
        ("global_temp.y", 2, "There is no schema `global_temp`"),
        ("scores.taken", 73, "exists and is not empty"),
    ],
)
def test_a_name_that_spark_refuses_is_refused_first(
    name: str,
    code: int,
    error: str,
    end_of: Any,
    linear: Path,
    spark: SparkSession,
    rows: Path,
    tables: str,
) -> None:
    files = HadoopFiles(spark, place := spark.catalog.getDatabase(tables).locationUri)
    files.write_text(f"{place}/taken/mine", "mine")
    ended = end_of(main, "--model", linear, "--input", rows, "--output-table", name)
    assert (ended.code, ended.spark_jobs) == (code, 0)
    assert error in ended.error
    assert folders_of(spark, tables) == ["taken"]


def test_a_long_name_is_taken(score: Any, spark: SparkSession, rows: Path, tables: str) -> None:
    name = f"{tables}.{'y' * 230}"
    for mode in ("error", "overwrite"):
        score("--input", rows, "--keep", "id", "--output-table", name, "--mode", mode)
    assert spark.table(name).count() == 5


def test_a_failed_job_leaves_no_folder(
    end_of: Any, linear: Path, spark: SparkSession, bad_rows: Path, tables: str
) -> None:
    flags = ("--input", bad_rows, "--output-table", f"{tables}.y")
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 65
    assert "tfspark_" not in ended.error
    assert folders_of(spark, tables) == []


# --- partitions ----------------------------------------------------------------------------------


def test_rows_are_partitioned(
    score: Any, spark: SparkSession, grouped: Path, tables: str, tmp_path: Path
) -> None:
    flags = ("--input", grouped, "--partition-by", "g", "--keep", "id,g")
    for mode, count in (("error", 5), ("append", 10), ("overwrite", 5)):
        score(*flags, "--output", tmp_path / "out", "--mode", mode)
        scored = spark.read.parquet(str(tmp_path / "out"))
        groups = [row.g for row in scored.select("g").collect()]
        assert (groups.count("b") * 5, len(groups)) == (count * 3, count)
        assert {path.name for path in (tmp_path / "out").glob("g=*")} == {"g=a", "g=b"}
    score(*flags, "--output-table", f"{tables}.y")
    assert "PARTITIONED BY (g" in described(spark, f"{tables}.y")


def test_partitions_are_overwritten(
    score: Any, spark: SparkSession, grouped: Path, tables: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.parquet"
    there = pq.read_table(grouped)
    pq.write_table(there.slice(1).set_column(2, "g", [["b", "c", "c", "c"]]), other)
    flags = ("--partition-by", "g", "--keep", "id,g")
    for place in (("--output", tmp_path / "out"), ("--output-table", f"{tables}.y")):
        score("--input", grouped, *flags, *place, "--mode", "overwrite-partitions")
        score("--input", other, *flags, *place, "--mode", "overwrite-partitions")
    expected = [(0, "a"), (1, "b"), (2, "a"), (2, "c"), (3, "c"), (4, "c")]
    for rows in (spark.read.parquet(str(tmp_path / "out")), spark.table(f"{tables}.y")):
        assert sorted(map(tuple, rows.select("id", "g").collect())) == expected
    partitions = spark.sql(f"SHOW PARTITIONS {tables}.y").collect()
    assert [row["partition"] for row in partitions] == ["g=a", "g=b", "g=c"]


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ("--output {out}", "has no partitions to overwrite"),
        ("--output-table {tables}.y", "has no partitions to overwrite"),
        ("--output-table {tables}.there", "has no partitions to overwrite"),
        ("--output {out} --partition-by g --bad-rows {out}-bad", "the folder for bad rows"),
    ],
)
def test_partitions_that_cannot_be_overwritten_are_refused(
    flags: str,
    error: str,
    end_of: Any,
    linear: Path,
    spark: SparkSession,
    grouped: Path,
    tables: str,
    tmp_path: Path,
) -> None:
    spark.sql(f"CREATE TABLE {tables}.there (id INT, g STRING, outputs FLOAT) USING parquet")
    given = flags.format(out=tmp_path / "out", tables=tables).split()
    ended = end_of(
        main, "--model", linear, "--input", grouped, *given, "--mode", "overwrite-partitions"
    )
    assert (ended.code, ended.spark_jobs) == (2, 0)
    assert error in ended.error.replace("The folder", "the folder")


@pytest.mark.parametrize(
    ("flags", "code", "error"),
    [
        ("--output-option partitionBy=g", 2, "Hint: choose --partition-by"),
        ("--output-option mode=append", 2, "Hint: choose --mode"),
        ("--option schema=x", 2, "ignores the option 'schema'"),
        ("--partition-by h", 65, "there is no column 'h'"),
        ("--partition-by id,g,features,outputs", 65, "by all of its columns"),
        ("--partition-by g --path direct", 2, "partitions are written by Spark"),
    ],
)
def test_partitions_that_cannot_be_are_refused(
    flags: str, code: int, error: str, end_of: Any, linear: Path, grouped: Path, tmp_path: Path
) -> None:
    given = ("--input", grouped, "--output", tmp_path / "out", *flags.split())
    ended = end_of(main, "--model", linear, *given)
    assert ended.code == code
    assert error in ended.error


@pytest.mark.parametrize(("first", "second"), [("", "g"), ("g", ""), ("g", "G")])
def test_files_of_other_partitions_are_not_appended(
    first: str, second: str, score: Any, end_of: Any, linear: Path, grouped: Path, tmp_path: Path
) -> None:
    """With `G`, Spark writes folders such as `G=a` beside `g=a`."""
    given = ("--input", grouped, "--output", tmp_path / "out")
    ways = [("--partition-by", name) if name else () for name in (first, second)]
    score(*given, *ways[0])
    ended = end_of(main, "--model", linear, *given, *ways[1], "--mode", "append")
    assert ended.code == 65
    assert "--partition-by" in ended.error


def test_flags_that_an_existing_table_ignores_are_refused(
    end_of: Any, linear: Path, spark: SparkSession, grouped: Path, tables: str, database: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y ({COLUMNS}, g STRING) USING orc")
    flags = ("--model", linear, "--input", grouped, "--keep", "id,g", "--mode", "append")
    for table, given in (
        (f"{tables}.y", "--output-format csv"),
        (f"{tables}.y", "--output-option compression=none"),
        (f"{tables}.y", "--partition-by g"),
        (f"{database}.y", "--output-format orc"),
        (f"{database}.y", "--partition-by g"),
    ):
        ended = end_of(main, *flags, "--output-table", table, *given.split())
        assert (ended.code, "Hint: leave out" in ended.error) == (2, True)


# --- other catalogs ------------------------------------------------------------------------------


def test_a_table_of_another_catalog(
    score: Any, end_of: Any, linear: Path, spark: SparkSession, rows: Path, database: str
) -> None:
    flags = ("--input", rows, "--keep", "id", "--output-table", f"{database}.y")
    for mode, times in (("error", 1), ("append", 2), ("overwrite", 1)):
        report = score(*flags, "--mode", mode).report
        assert (report["rows_in"], report["rows_out"], report["null_rows"]) == (5, 5, 1)
        assert spark.table(f"{database}.y").count() == 5 * times
    names = [row["tableName"] for row in spark.sql(f"SHOW TABLES IN {database}").collect()]
    assert sorted(names) == ["tfspark_runs", "y"]
    for _ in range(2):
        score(*flags, "--mode", "append", "--run-id", "monday")
        assert spark.table(f"{database}.y").count() == 10
    assert end_of(main, "--model", linear, *flags).code == 73
    other = end_of(main, "--model", linear, *flags, "--mode", "append", "--fetch", "outputs=z")
    assert other.code == 65


def test_a_failed_job_leaves_another_catalog_as_it_was(
    end_of: Any, linear: Path, spark: SparkSession, bad_rows: Path, database: str
) -> None:
    flags = ("--model", linear, "--input", bad_rows)
    nowhere = database.replace(".db", ".nowhere.y")
    assert end_of(main, *flags, "--output-table", nowhere).code == 2
    assert end_of(main, *flags, "--output-table", f"{database}.y").code == 65
    names = [row["tableName"] for row in spark.sql(f"SHOW TABLES IN {database}").collect()]
    assert names == ["tfspark_runs"]
