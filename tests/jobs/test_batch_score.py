"""The batch job in this process: formats, tables, modes, reports."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.batch_score import main, parse_args
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.testing import save_function

EXPECTED = {0: 3.0, 1: 4.0, 2: None, 3: 9.0, 4: 3.0}


def predictions(df: DataFrame, column: str = "outputs") -> dict[int, float | None]:
    return {row["id"]: row[column] for row in df.collect()}


def names_in(spark: SparkSession, schema: str) -> list[str]:
    return sorted(one.name for one in spark.catalog.listTables(schema) if not one.isTemporary)


# --- in and out ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_keeps_rows_and_columns_adds_predictions_and_reports(
    path: str, score: Any, spark: SparkSession, rows: Path, tmp_path: Path, table: pa.Table
) -> None:
    ended = score("--input", rows, "--output", tmp_path / "out", "--path", path)
    check_report(ended, tmp_path / "out", path, spark)
    scored = pq.read_table(tmp_path / "out").sort_by("id")
    assert scored.select(["id", "features"]).to_pydict() == table.to_pydict()
    assert scored["outputs"].to_pylist() == list(EXPECTED.values())
    assert scored.schema.types == [pa.int32(), pa.list_(pa.float32()), pa.float32()]


@pytest.mark.parametrize(
    ("read", "written"),
    [("parquet", "csv"), ("orc", "parquet"), ("json", "orc"), ("parquet", "json")],
)
def test_reads_and_writes_a_format(
    read: str, written: str, score: Any, spark: SparkSession, table: pa.Table, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    spark.createDataFrame(table).coalesce(1).write.format(read).save(str(source))
    score(
        *("--input", source, "--input-format", read, "--narrow", "--keep", "id"),
        *("--output", tmp_path / "out", "--output-format", written),
    )
    reader = spark.read.schema("id int, outputs float").option("header", "true")
    assert predictions(reader.format(written).load(str(tmp_path / "out"))) == EXPECTED


def test_stacks_columns_of_a_csv_file(score: Any, spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("id,x0,x1\n0,1.0,2.0\n1,3.0,5.0\n2,,1.0\n")
    ended = score(
        *("--input", tmp_path / "points.csv", "--input-format", "csv"),
        *("--feed", "inputs=x0,x1", "--narrow"),
        *("--output", tmp_path / "out", "--output-format", "csv"),
    )
    written = [path.read_text() for path in sorted((tmp_path / "out").glob("*.csv"))]
    assert written == ["id,x0,x1,outputs\n0,1.0,2.0,3.0\n1,3.0,5.0,4.0\n2,,1.0,\n"]
    assert ended.report["null_rows"] == 1


def test_a_null_alone_in_a_csv_file_is_refused(end_of: Any, linear: Path, tmp_path: Path) -> None:
    """Spark writes an empty line, which readers skip."""
    (tmp_path / "points.csv").write_text("id,x0,x1\n0,1.0,2.0\n1,,1.0\n2,3.0,5.0\n")
    flags = (
        *("--model", linear, "--feed", "inputs=x0,x1", "--keep", "id", "--partition-by", "id"),
        *("--input", tmp_path / "points.csv", "--input-format", "csv"),
        *("--output", tmp_path / "out", "--output-format", "csv"),
    )
    ended = end_of(main, *flags)
    assert (ended.code, ended.error.count("1 such rows")) == (65, 1)
    assert not (tmp_path / "out").exists()
    for mode, count in (("error", 1), ("append", 2)):
        shown = ("--output-option", "nullValue=NULL", "--mode", mode)
        assert end_of(main, *flags, *shown).code == 0
        written = list((tmp_path / "out" / "id=1").glob("*.csv"))
        assert [file.read_text() for file in written] == ["outputs\nNULL\n"] * count


def test_options_go_to_spark(score: Any, tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("1.0;2.0\n3.0;5.0\n")
    score(
        *("--input", tmp_path / "points.csv", "--input-format", "csv"),
        *("--option", "header=false", "--option", "sep=;"),
        *("--feed", "inputs=_c0,_c1", "--narrow"),
        *("--output", tmp_path / "out", "--output-format", "csv"),
        *("--output-option", "header=false", "--output-option", "sep=|"),
    )
    (written,) = (tmp_path / "out").glob("*.csv")
    assert written.read_text() == "1.0|2.0|3.0\n3.0|5.0|4.0\n"


def test_fetch_names_and_keep_chooses(score: Any, rows: Path, tmp_path: Path) -> None:
    score("--input", rows, "--output", tmp_path / "out", "--fetch", "outputs=y", "--keep", "id")
    assert pq.read_schema(next((tmp_path / "out").glob("*.parquet"))).names == ["id", "y"]


def test_column_names_may_be_odd(score: Any, spark: SparkSession, tmp_path: Path) -> None:
    names = ["x.0", "x `1`", "Größe", "id"]
    source = spark.createDataFrame([(1.0, 2.0, "s", 0)], names)
    source.write.parquet(str(tmp_path / "in"))
    score(
        *("--input", tmp_path / "in", "--output", tmp_path / "out"),
        *("--feed", "inputs=x.0,x `1`", "--narrow", "--fetch", "outputs=a.b `c`"),
    )
    scored = pq.read_table(tmp_path / "out")
    assert scored.schema.names == [*names, "a.b `c`"]
    assert scored["a.b `c`"].to_pylist() == [3.0]


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_paths_may_be_odd(
    path: str, score: Any, rows: Path, tmp_path: Path, table: pa.Table
) -> None:
    odd = tmp_path / "a b" / "a#b" / "a%20b+c&d=e" / "größe;"
    source, target = odd / "in", odd / "out"
    shutil.copytree(rows, source)
    ended = score("--path", path, "--input", source, "--output", f"file://{target}")
    assert pq.read_table(target).num_rows == table.num_rows
    assert ended.report["rows_out"] == table.num_rows


def test_relative_paths_and_folders_to_be_made(
    score: Any, rows: Path, tmp_path: Path, spark: SparkSession
) -> None:
    # A JVM keeps the working directory of its start, as a job does.
    from_here = Path(spark._jvm.java.lang.System.getProperty("user.dir"))  # type: ignore[union-attr]
    below = Path(*[".."] * len(from_here.parts[1:]), *tmp_path.parts[1:])
    score("--input", below / "rows", "--output", below / "new" / "deep" / "out")
    assert pq.read_table(tmp_path / "new" / "deep" / "out").num_rows == len(EXPECTED)


def test_globs_and_partition_folders_are_sparks(score: Any, rows: Path, tmp_path: Path) -> None:
    for day in (1, 2):
        shutil.copytree(rows, tmp_path / "days" / f"day={day}")
    for source, columns in ((tmp_path / "days", 4), (tmp_path / "days" / "day=*" / "*.parquet", 3)):
        ended = score("--input", source, "--output", tmp_path / "out", "--mode", "overwrite")
        scored = pq.read_table(tmp_path / "out")
        assert (scored.num_rows, scored.num_columns) == (2 * len(EXPECTED), columns)
        assert ended.report["path"] == "spark"


def test_folders_inside_are_sparks(score: Any, rows: Path, tmp_path: Path) -> None:
    score("--input", rows, "--output", rows / "out")
    ended = score("--input", rows, "--output", tmp_path / "again")
    assert (ended.report["path"], ended.report["rows_in"]) == ("spark", len(EXPECTED))


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_no_rows_give_an_output_with_columns(
    path: str, score: Any, table: pa.Table, tmp_path: Path
) -> None:
    pq.write_table(table.slice(0, 0), tmp_path / "none.parquet")
    ended = score("--path", path, "--input", tmp_path / "none.parquet", "--output", tmp_path / "o")
    assert pq.read_table(tmp_path / "o").schema.names == ["id", "features", "outputs"]
    assert (ended.report["rows_in"], ended.report["rows_out"]) == (0, 0)


def test_hive_table_in_hive_table_out(score: Any, spark: SparkSession, tables: str) -> None:
    spark.sql(f"CREATE TABLE {tables}.points (id INT, features ARRAY<FLOAT>) STORED AS ORC")
    spark.sql(f"INSERT INTO {tables}.points VALUES (0, array(1f, 2f)), (2, null)")
    target = f"spark_catalog.`{tables}`.y"
    score("--input-table", f"{tables}.points", "--output-table", target, "--fetch", "outputs=y")
    assert predictions(spark.table(f"{tables}.y"), "y") == {0: 3.0, 2: None}
    assert names_in(spark, tables) == ["points", "y"]


def test_view_in(score: Any, view: str, tmp_path: Path) -> None:
    score("--input-table", view, "--feed", "inputs=features", "--output", tmp_path / "out")
    assert pq.read_table(tmp_path / "out")["outputs"].to_pylist() == [3.0]


def test_signature_and_version_are_chosen(
    end_of: Any, rows: Path, tmp_path: Path, linear: Path
) -> None:
    import tensorflow as tf

    spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
    negated = tf.function(lambda inputs: {"negated": -inputs[:, 0]}, input_signature=[spec])
    base = tmp_path / "model"
    shutil.copytree(linear / "1", base / "1")
    save_function(base / "7", lambda inputs: {"first": inputs[:, 0] + 0.0}, spec, negated=negated)

    def scored(*flags: str) -> list[str]:
        flags = ("--model", str(base), "--input", str(rows), *flags)
        ended = end_of(main, *flags, "--output", tmp_path / "out", "--mode", "overwrite")
        assert ended.code == 0, ended.error
        return pq.read_table(tmp_path / "out").schema.names[2:]

    assert scored() == ["first"], "the newest version"
    assert scored("--version", "1") == ["outputs"]
    assert scored("--signature", "negated") == ["negated"]


@pytest.mark.parametrize("size", [1, 3])
def test_batch_size_changes_nothing(size: int, score: Any, rows: Path, tmp_path: Path) -> None:
    score("--input", rows, "--output", tmp_path / "out", "--batch-size", size)
    assert pq.read_table(tmp_path / "out").sort_by("id")["outputs"].to_pylist() == [
        *EXPECTED.values()
    ]


# --- modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_modes_of_a_path(path: str, score: Any, rows: Path, tmp_path: Path) -> None:
    flags = ("--path", path, "--input", rows, "--output", tmp_path / "out")
    score(*flags)
    first = set((tmp_path / "out").glob("*.parquet"))
    score(*flags, "--mode", "append")
    both = set((tmp_path / "out").glob("*.parquet"))
    assert first < both
    assert pq.read_table(tmp_path / "out").num_rows == 2 * len(EXPECTED)
    score(*flags, "--mode", "overwrite", "--fetch", "outputs=y")
    assert not both & set((tmp_path / "out").glob("*.parquet"))
    assert pq.read_table(tmp_path / "out").schema.names == ["id", "features", "y"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rows"]


def test_append_creates_a_table_or_adds_to_it(
    score: Any, spark: SparkSession, rows: Path, tables: str
) -> None:
    flags = ("--input", rows, "--output-table", f"{tables}.y", "--keep", "id")
    for times in (1, 2):
        score(*flags, "--mode", "append")
        assert spark.table(f"{tables}.y").count() == times * len(EXPECTED)
    assert names_in(spark, tables) == ["y"]


@pytest.mark.parametrize(("mode", "path"), [("overwrite", "spark"), ("append", "direct")])
def test_failure_leaves_the_old_output(
    mode: str,
    path: str,
    score: Any,
    end_of: Any,
    linear: Path,
    bad_rows: Path,
    tmp_path: Path,
    files_under: Any,
) -> None:
    good = pq.read_table(bad_rows).slice(0, 3)
    pq.write_table(good, tmp_path / "good.parquet")
    score("--input", tmp_path / "good.parquet", "--output", tmp_path / "out")
    before = files_under(tmp_path)
    flags = ("--input", bad_rows, "--output", tmp_path / "out", "--mode", mode, "--path", path)
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 65
    assert "column 'features', row 9 of partition 0" in ended.error
    assert "Traceback" not in ended.error
    assert files_under(tmp_path) == before


def test_failure_leaves_the_old_table(
    end_of: Any, linear: Path, spark: SparkSession, bad_rows: Path, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y AS SELECT array(1f, 2f) features, 3f outputs")
    for mode, target in (("error", "new"), ("overwrite", "y"), ("append", "y")):
        flags = ("--input", bad_rows, "--output-table", f"{tables}.{target}", "--mode", mode)
        assert end_of(main, "--model", linear, *flags).code == 65
        assert names_in(spark, tables) == ["y"]
    assert spark.table(f"{tables}.y").count() == 1


# --- report and dry run --------------------------------------------------------------------------


def check_report(ended: Any, output: Path, path: str, spark: SparkSession) -> None:
    from tfspark.package import load

    report = ended.report
    place = Path(ended.stdout.splitlines()[-1])
    assert place == output / f"_tfspark_report_{report['run']}.json"
    counts = [report[name] for name in ("rows_in", "rows_out", "null_rows", "bad_rows")]
    assert counts == [5, 5, 1, 0]
    assert (report["job"], report["path"]) == ("batch_score", path)
    assert report["engine"] == {"engine": "native", "rows_per_second": {}, "refused": {}}
    model = report["model"]
    assert (model["name"], model["version"]) == ("linear_model", 1)
    assert model["digest"] == load(model["path"]).digest
    assert report["versions"]["spark"] == spark.version
    assert report["versions"].keys() >= {"python", "tensorflow", "numpy", "pyarrow"}
    phases = report["seconds"]
    assert phases.keys() >= {"plan", "score", "publish", "total"}
    assert phases["total"] == pytest.approx(sum(phases.values()) - phases["total"])


def test_report_goes_where_it_is_told(score: Any, rows: Path, tmp_path: Path) -> None:
    place = tmp_path / "new folder" / "report.json"
    ended = score("--input", rows, "--output", tmp_path / "out", "--report", place)
    assert ended.stdout.splitlines()[-1] == str(place)
    assert ended.report["rows_out"] == len(EXPECTED)
    assert not list((tmp_path / "out").glob("*.json"))


def test_a_page_of_someone_else_is_not_replaced(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    place = tmp_path / "report.json"
    page = place.with_suffix(".html")
    words = ("--model", linear, "--input", rows, "--output", tmp_path / "out", "--report", place)
    page.write_text("<html>mine</html>")
    ended = end_of(main, *words)
    assert (ended.code, ended.spark_jobs) == (73, 0)
    assert f"The page of the report would replace {page}." in ended.error
    assert "choose another --report" in ended.error
    assert page.read_text() == "<html>mine</html>"
    page.unlink()
    for mode in ("error", "append"):  # the page of the first run may be replaced
        assert end_of(main, *words, "--mode", mode).code == 0
        assert "Scoring report" in page.read_text()


def test_a_part_of_a_report_is_replaced(score: Any, rows: Path, tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    words = ("--input", rows, "--output", tmp_path / "out", "--report", place, "--mode", "append")
    score(*words)
    place.write_text(place.read_text()[:200])
    place.with_suffix(".html").write_text("")
    assert score(*words).report["rows_out"] == len(EXPECTED)
    assert "Scoring report" in place.with_suffix(".html").read_text()
    assert not list(tmp_path.glob(".tfspark-*"))


def test_only_the_head_of_a_file_is_read(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"\x00\xff<html>" * 9)
    files = HadoopFiles(spark, place := str(tmp_path / "page.html"))
    assert files.head(place, 4) == b"\x00\xff<h"
    assert len(files.head(place, 4096)) == 72


def test_report_of_a_table_goes_to_the_working_directory(
    score: Any,
    rows: Path,
    tables: str,
    tmp_path: Path,
) -> None:
    ended = score("--input", rows, "--output-table", f"{tables}.y")
    report = Path(ended.stdout.splitlines()[-1])
    assert report.parent == tmp_path
    for file in (report, report.with_suffix(".html")):
        assert file.stat().st_mode & 0o777 == 0o600, "it shows rows of the table"
    assert ended.report["output"] == f"table {tables}.y"


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_dry_run_tells_and_does_nothing(
    path: str, score: Any, rows: Path, tmp_path: Path, files_under: Any
) -> None:
    before = files_under(tmp_path)
    ended = score("--input", rows, "--output", tmp_path / "out", "--dry-run", "--path", path)
    assert "columns id int, features array<float>, outputs float" in ended.stdout
    assert f"path   {path}" in ended.stdout
    assert files_under(tmp_path) == before


def test_flags_are_typed() -> None:
    flags = "--model m --input i --output o --feed a=b,c --feed d=e=f --fetch y=z --keep p,q"
    args = parse_args([*flags.split(), "--option", "sep==", "--version", "3"])
    assert args.feed == {"a": ["b", "c"], "d": "e=f"}
    assert (args.fetch, args.keep) == ({"y": "z"}, ["p", "q"])
    assert (args.option, args.version) == ({"sep": "="}, 3)


@pytest.mark.parametrize("name", ["out[1]", "out{a,b}", "out*", "o?t"])
def test_an_output_may_have_the_characters_of_a_glob(
    name: str, score: Any, rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "out1").mkdir()
    pq.write_table(pa.table({"other": [1]}), tmp_path / "out1" / "part-0.parquet")
    for count in (1, 2):
        score("--input", rows, "--output", tmp_path / name, "--mode", "append")
        assert pq.ParquetDataset(tmp_path / name).read().num_rows == 5 * count


def test_a_text_replaces_a_file_of_hadoop(spark: SparkSession, tmp_path: Path) -> None:
    files, place = HadoopFiles(spark, f"file:{tmp_path}"), f"file:{tmp_path}/report.json"
    for text in ("one", "two"):
        files.write_text(place, text)
        assert files.head(place, 9) == text.encode()
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", ".report.json.crc"}


def test_a_place_that_is_not_on_hdfs_keeps_its_name(spark: SparkSession) -> None:
    place = "http://no-such-host.invalid/out"  # its file system would look for the host
    assert HadoopFiles(spark, place).canonical(place) == place
