"""`predict` on a plain read of Parquet files: the tasks read the files, with the same result."""

import logging
import os
from base64 import b64decode, b64encode
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pyarrow import fs
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import functions as sf

from tfspark import predict
from tfspark.data_files.exact_types import changed_columns
from tfspark.data_files.footers import read_footer
from tfspark.data_files.listing import DataFile
from tfspark.spark import file_frame
from tfspark.spark.cluster.file_partitions import Limits
from tfspark.spark.cluster.plain_read import NotPlainError
from tfspark.spark.worker.file_scorer import SETTING

KINDS = """
    SELECT id, array(cast(id AS float), 1f) AS features, id % 3 = 0 AS flag,
        cast(id AS tinyint) AS tiny, cast(id AS smallint) AS small, cast(id AS int) AS whole,
        if(id = 1, double('nan'), -0d) AS wide, if(id = 2, null, id * 1.10BD) AS amount,
        1.234567890123456789012345678901234567BD AS digits,
        if(id = 3, null, concat('röw ', id)) AS text, X'00ff' AS bytes, date '2024-02-29' AS day,
        timestamp '2024-03-10 02:30:00.123456' AS at, timestamp_ntz '1950-03-10 02:30:00' AS local,
        named_struct('a', id, 'b', named_struct('c', array('x', null))) AS pair,
        map('k', id, 'l', null) AS by_key, array(array(1, null), null, array()) AS deep
    FROM range(40)
"""
POINTS = "SELECT id, array(cast(id AS float), if(id % 5 = 0, null, 1f)) AS features FROM range({})"


def is_direct(scored):
    return "read_parquet_and_score" in scored._jdf.queryExecution().toString()


def rows_of(scored):
    """Return the rows of each partition as text, which tells NaN and -0.0 apart."""
    numbered = scored.select("*", sf.spark_partition_id().alias("partition"))
    return [repr(row) for row in numbered.collect()]


@pytest.fixture
def both(conf):
    """Return what `predict` gives when the tasks read the files and when Spark does."""

    def predicted(df, *arguments, **options):
        direct = predict(df, *arguments, **options)
        with conf(SETTING, "false"):
            return direct, predict(df, *arguments, **options)

    return predicted


@pytest.fixture
def stored(spark, tmp_path):
    """Write the rows of a query as Parquet files and read them."""

    def write(query, files=1, **options):
        path = str(tmp_path / "rows")
        df = spark.sql(query).repartition(files) if files > 1 else spark.sql(query).coalesce(1)
        df.write.options(**options).parquet(path)
        return spark.read.parquet(path)

    return write


def all_kinds(spark, stored, path):
    return stored(KINDS, files=3)


def described(spark, stored, path):
    df = stored(POINTS.format(9)).withMetadata("id", {"comment": "a key"})
    return df.withMetadata("features", {"ml_attr": {"x": 1}})


def picked(spark, stored, path):
    df = stored(KINDS).alias("t")
    return df.select("FEATURES", df["id"].alias("a"), "id", sf.col("t.pair").alias("p.q"))


def odd_names(spark, stored, path):
    names = "id AS `a.b`, id + 1 AS `a,b`, id AS `-x`, id AS `x#1 AS c0#2`, id AS `grün #7L`"
    return stored(f"SELECT {names}, features FROM ({POINTS.format(9)})")


def many_files(spark, stored, path):
    return stored(POINTS.format(90), files=20)


def many_splits(spark, stored, path):
    # Row groups of a few KB, in ranges of 10 KB.
    spark.conf.set("spark.sql.files.maxPartitionBytes", "10000")
    return stored(
        POINTS.format(4_000),
        **{"parquet.block.size": "2000", "parquet.block.size.row.check.min": "100"},
        **{"parquet.page.size.row.check.min": "10", "parquet.page.size.row.check.max": "100"},
    )


def limited_partitions(spark, stored, path):
    spark.conf.set("spark.sql.files.openCostInBytes", "0")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "1000")
    spark.conf.set("spark.sql.files.maxPartitionNum", "3")
    return stored(POINTS.format(900), files=20)


def without_rows(spark, stored, path):
    df = stored(POINTS.format(0))
    assert df.count() == 0
    return df


def of_pyarrow(spark, stored, path):
    points = {"features": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32()))}
    table = pa.table({**points, "text": ["a", None, ""]})
    with pq.ParquetWriter(path / "a b.parquet", table.schema) as writer:
        for some in (table.slice(0, 0), table, table.slice(0, 0), table.slice(1)):
            writer.write_table(some)
    (path / "empty.parquet").touch()  # Spark reads no footer of an empty file
    return spark.read.schema("features array<float>, text string").parquet(str(path))


@pytest.fixture
def default_splits(spark):
    """Unset the settings of splits that a frame has set."""
    yield
    for name in ("maxPartitionBytes", "openCostInBytes", "maxPartitionNum"):
        spark.conf.unset(f"spark.sql.files.{name}")


@pytest.mark.parametrize(
    "frame",
    [
        all_kinds,
        described,
        picked,
        odd_names,
        many_files,
        many_splits,
        limited_partitions,
        without_rows,
        of_pyarrow,
    ],
)
def test_rows_partitions_and_schema_are_the_same(
    spark, stored, tmp_path, linear, both, default_splits, frame
):
    df = frame(spark, stored, tmp_path)
    direct, through_spark = both(
        df, linear, feed={"inputs": "features"}, on_error="null", reason="why"
    )
    assert is_direct(direct)
    assert not is_direct(through_spark)
    assert direct.schema.json() == through_spark.schema.json()
    assert direct.rdd.getNumPartitions() == through_spark.rdd.getNumPartitions()
    assert rows_of(direct) == rows_of(through_spark)


# --- reads that are left to Spark -----------------------------------------------------------------


def partitioned(spark, df, path):
    df.withColumn("day", sf.lit(1)).write.partitionBy("day").parquet(path)
    return spark.read.parquet(path)


def lacking(spark, df, path):
    df.coalesce(1).write.parquet(path)
    df.drop("id").coalesce(1).write.mode("append").parquet(path)
    return spark.read.schema(df.schema).parquet(path)


def as_table(spark, df, path):
    df.write.mode("overwrite").saveAsTable("points_of_file_frame")
    return spark.table("points_of_file_frame")


def old_dates(spark, df, path):
    table = pa.table({"id": [1], "features": [[1.0, 2.0]], "day": pa.array([0], pa.date32())})
    pq.write_table(table, f"{path}.parquet")
    return spark.read.parquet(f"{path}.parquet")


def encrypted(spark, df, path):
    keys = pe.EncryptionConfiguration("key", column_keys={"key": ["secret"]}, plaintext_footer=True)
    factory = pe.CryptoFactory(lambda _: OpenKeys())
    table = pa.table({"id": [1], "features": [[1.0, 2.0]], "secret": [1.5]})
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    file = f"{path}.parquet"
    with pq.ParquetWriter(file, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    return spark.read.parquet(file).select("id", "features")


class OpenKeys(pe.KmsClient):
    """A key store that wraps keys without a secret."""

    def wrap_key(self, key, _):
        return b64encode(key)

    def unwrap_key(self, wrapped, _):
        return b64decode(wrapped)


def changed_before(spark, df, path):
    df.coalesce(1).write.parquet(path)
    read = spark.read.parquet(path)
    (file,) = Path(path).glob("*.parquet")
    written_again(file)
    return read


LEFT_TO_SPARK = {
    "filter": (lambda spark, df, path: df.where("id > 2"), "more than a read"),
    "limit": (lambda spark, df, path: df.limit(4), "more than a read"),
    "sample": (lambda spark, df, path: df.sample(0.5, seed=1), "more than a read"),
    "union": (lambda spark, df, path: df.union(df), "more than a read"),
    "cache": (lambda spark, df, path: df.cache(), "cached"),
    "computed": (lambda spark, df, path: df.withColumn("id", -df["id"]), "computed"),
    "field": (lambda spark, df, path: df.select("features", "_metadata.file_size"), "not a column"),
    "option": (
        lambda spark, df, path: spark.read.option("mergeSchema", True).parquet(path),
        "options: mergeschema",
    ),
    "other type": (
        lambda spark, df, path: spark.read.schema(
            "features array<float>, id decimal(20,0)"
        ).parquet(path),
        "column 'id'",
    ),
    "partitions": (partitioned, "partition folders"),
    "missing column": (lacking, "lacks column 'id'"),
    "table": (as_table, "a table"),
    "ORC": (lambda spark, df, path: df.write.orc(path) or spark.read.orc(path), "Orc"),
    "calendar": (old_dates, "calendar"),
    "encryption": (encrypted, "encrypted columns"),
    "changed": (changed_before, "has changed since Spark listed it"),
}


@pytest.mark.parametrize("name", LEFT_TO_SPARK)
def test_other_frames_go_through_spark(spark, stored, tmp_path, linear, both, caplog, name):
    frame, reason = LEFT_TO_SPARK[name]
    stored(POINTS.format(9))
    path = str(tmp_path / "rows")
    other = path if name in ("option", "other type") else f"{path} of another form"
    df = frame(spark, spark.read.parquet(path), other)
    with caplog.at_level(logging.DEBUG, "tfspark.spark.file_frame"):
        direct, through_spark = both(df, linear, feed={"inputs": "features"})
    assert reason in caplog.text
    assert not is_direct(direct)
    assert rows_of(direct) == rows_of(through_spark)
    df.unpersist()
    spark.sql("DROP TABLE IF EXISTS points_of_file_frame")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("spark.sql.files.ignoreCorruptFiles", "true"), ("spark.sql.caseSensitive", "true")],
)
def test_settings_of_readers_are_left_to_spark(stored, linear, conf, setting, value):
    df = stored(POINTS.format(9))
    with conf(setting, value):
        assert not is_direct(predict(df, linear, feed={"inputs": "features"}))


def missing_class(*arguments):
    raise TypeError("'JavaPackage' object is not callable")


@pytest.mark.parametrize(
    ("name", "value", "level", "reason"),
    [
        ("MAX_CHUNKS", 1, "DEBUG", "more than 1 column chunks"),
        ("_has_codec", lambda name: False, "DEBUG", "cannot decompress SNAPPY"),
        ("task_rows", missing_class, "INFO", "is missing or differs: TypeError"),
    ],
)
def test_spark_reads_what_the_tasks_cannot(
    stored, linear, monkeypatch, caplog, name, value, level, reason
):
    df = stored(POINTS.format(9))
    monkeypatch.setattr(file_frame, name, value)
    with caplog.at_level(level, "tfspark.spark.file_frame"):
        assert not is_direct(predict(df, linear, feed={"inputs": "features"}))
    assert reason in caplog.text


def test_pyarrow_lacks_some_codecs_of_spark():
    assert file_frame._has_codec("ZSTD")
    assert file_frame._has_codec("UNCOMPRESSED")
    assert not file_frame._has_codec("LZO")


def test_ranges_without_bytes_are_left_to_spark():
    with pytest.raises(NotPlainError, match="0 bytes"):
        Limits(1 << 20, open_bytes=0, least=9, most=None).range_bytes([DataFile("a", 5)])


def test_an_expression_is_left_to_spark(stored, linear):
    df = stored(POINTS.format(9))
    scored = predict(df, linear, feed={"inputs": sf.reverse("features")})
    assert not is_direct(scored)
    assert scored.where("id = 1").first()["outputs"] == 2 - 1 + 3


# --- what stays as it is --------------------------------------------------------------------------


def estimate(scored):
    return int(str(scored._jdf.queryExecution().optimizedPlan().stats().sizeInBytes()))


def test_columns_that_are_not_kept_or_fed_are_not_read(stored, linear, both):
    df = stored(f"SELECT *, array(at) AS times FROM ({KINDS})")
    feed = {"inputs": "features"}
    assert not is_direct(predict(df, linear, feed=feed))  # pyarrow reads nanoseconds in arrays
    for keep in ([], ["whole"]):
        direct, through_spark = both(df, linear, feed=feed, keep=keep)
        assert is_direct(direct)
        assert rows_of(direct) == rows_of(through_spark)


def test_spark_estimates_the_same_size(stored, linear, both):
    direct, through_spark = both(stored(KINDS), linear, feed={"inputs": "features"})
    assert is_direct(direct)
    assert estimate(direct) == pytest.approx(estimate(through_spark), rel=0.01)


def test_predict_reads_no_rows_before_an_action(stored, linear, jobs_of):
    df = stored(POINTS.format(9))
    assert jobs_of(lambda: predict(df, linear, feed={"inputs": "features"})) == 0


def test_several_models_score_the_files(stored, linear, newer, both):
    df = stored(POINTS.format(9))
    models, feed = {"a": linear, "b": newer}, {"inputs": "features"}
    direct, through_spark = both(df, models, feed=feed, difference=True)
    assert is_direct(direct)
    assert rows_of(direct) == rows_of(through_spark)


def test_spark_refuses_to_overwrite_the_table_that_is_read(spark, stored, linear, tmp_path):
    """Spark looks for the files in the plan of the result, before it deletes them."""
    df = stored(f"SELECT *, 0f AS outputs FROM ({POINTS.format(9)})")
    folder = tmp_path / "rows"
    spark.sql(f"CREATE TABLE scored_in_place USING parquet LOCATION '{folder}'")
    scored = predict(df.drop("outputs"), linear, feed={"inputs": "features"})
    assert is_direct(scored)
    with pytest.raises(AnalysisException, match="UNSUPPORTED_OVERWRITE"):
        scored.write.insertInto("scored_in_place", overwrite=True)
    assert spark.read.parquet(str(folder)).count() == 9
    spark.sql("DROP TABLE scored_in_place")


def test_the_files_are_those_of_the_call(spark, stored, linear, tmp_path):
    df, path = stored(POINTS.format(9)), str(tmp_path / "rows")
    scored = predict(df, linear, feed={"inputs": "features"}).cache()
    assert scored.count() == 9
    spark.sql(POINTS.format(4)).coalesce(1).write.mode("append").parquet(path)
    assert scored.count() == 9
    scored.unpersist()
    again = predict(spark.read.parquet(path), linear, feed={"inputs": "features"})
    assert is_direct(again)
    assert again.count() == 13


def removed(path):
    path.unlink()


def written_again(path):
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 5_000_000))


@pytest.mark.parametrize(
    ("change", "found"), [(removed, "no file"), (written_again, "bytes, written again")]
)
def test_a_file_that_changed_ends_the_query(stored, linear, tmp_path, change, found):
    scored = predict(stored(POINTS.format(9)), linear, feed={"inputs": "features"})
    assert is_direct(scored)
    (file,) = (tmp_path / "rows").glob("*.parquet")
    change(file)
    with pytest.raises(PySparkException, match=f"has changed since Spark listed it(.|\n)*{found}"):
        scored.collect()


def test_errors_of_files_have_hints_for_python(stored, linear, tmp_path):
    scored = predict(stored(POINTS.format(99)), linear, feed={"inputs": "features"})
    (file,) = (tmp_path / "rows").glob("*.parquet")
    state = file.stat()
    with file.open("r+b") as opened:
        opened.seek(4)
        opened.write(b"\xff" * 200)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(PySparkException, match=f"cannot read the file(.|\n)*Hint: .*{SETTING}"):
        scored.collect()


def test_a_line_break_in_a_name_hides_no_type(tmp_path):
    path = tmp_path / "names.parquet"
    name = "a\n  required int32 field_id=-1 b (Int(bitWidth=32, isSigned=true));"
    pq.write_table(pa.table({name: [1], "z": [1.0]}), path)
    footer = read_footer(fs.LocalFileSystem(), DataFile(str(path), 1), "parquet")
    assert set(changed_columns(footer, None)) == {name, "z"}
