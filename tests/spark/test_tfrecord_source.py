"""The data source `tfrecord` in Spark: files of TensorFlow are read, and TensorFlow reads ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql.types import (
    ArrayType,
    FloatType,
    LongType,
    StringType,
    StructField,
    StructType,
)

import tfspark
from tfspark.errors import InputNotFoundError
from tfspark.spark.tfrecord.streaming import RecordStreamReader

pytest.importorskip("google_crc32c")
pytest.importorskip("pyspark.sql.datasource")


@pytest.fixture
def records(spark: SparkSession) -> SparkSession:
    """A session with the format."""
    tfspark.register_tfrecord(spark)
    return spark


@pytest.fixture
def written(tmp_path: Path) -> str:
    """A folder with two files that TensorFlow wrote."""
    import tensorflow as tf

    folder = tmp_path / "in"
    folder.mkdir()
    for part in range(2):
        options = "GZIP" if part else ""
        name = str(folder / f"part-{part}.tfrecord{'.gz' if part else ''}")
        with tf.io.TFRecordWriter(name, options) as file:
            for row in range(3):
                number = 3 * part + row
                features = {
                    "id": tf.train.Feature(int64_list=tf.train.Int64List(value=[number])),
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, number])),
                }
                if row:
                    text = [f"é{number}".encode()]
                    features["name"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=text))
                example = tf.train.Example(features=tf.train.Features(feature=features))
                file.write(example.SerializeToString())
    (folder / "_SUCCESS").touch()
    return str(folder)


def test_files_of_tensorflow_are_read(records: SparkSession, written: str) -> None:
    rows = records.read.format("tfrecord").load(written)
    assert rows.dtypes == [("id", "bigint"), ("name", "binary"), ("x", "array<float>")]
    found = sorted(rows.collect())
    assert found[0] == Row(id=0, name=None, x=[0.5, 0.0])
    assert found[5] == Row(id=5, name=bytearray("é5".encode()), x=[0.5, 5.0])
    assert rows.count() == 6


def test_a_given_schema_chooses_columns_and_types(records: SparkSession, written: str) -> None:
    reader = records.read.format("tfrecord").schema("name string, id int, none double")
    rows = reader.load(f"{written}/*.gz").collect()
    assert rows[1:] == [
        Row(name="é4", id=4, none=None),
        Row(name="é5", id=5, none=None),
    ]


def test_a_given_schema_without_nulls(records: SparkSession, written: str) -> None:
    floats = ArrayType(FloatType(), containsNull=False)
    schema = StructType([StructField("x", floats, False), StructField("id", LongType(), False)])
    rows = records.read.format("tfrecord").schema(schema).load(written)
    assert rows.schema == schema
    assert sorted(rows.collect())[5] == Row(x=[0.5, 5.0], id=5)
    schema = StructType([StructField("name", StringType(), False)])
    rows = records.read.format("tfrecord").schema(schema).load(written)
    with pytest.raises(Exception, match="has no feature 'name', but the column cannot be null"):
        rows.collect()


def test_tensorflow_reads_our_files(records: SparkSession, tmp_path: Path) -> None:
    import tensorflow as tf

    frame = records.createDataFrame(
        [(1, [0.5], "a"), (None, [], "b"), (-3, None, None)], "i int, x array<float>, s string"
    )
    out = str(tmp_path / "out")
    frame.coalesce(1).write.format("tfrecord").option("compression", "gzip").mode("append").save(
        out
    )
    (file,) = Path(out).glob("*.tfrecord.gz")
    found = [
        tf.train.Example.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file), "GZIP")
    ]
    features = [example.features.feature for example in found]
    assert [sorted(row) for row in features] == [["i", "s", "x"], ["s", "x"], ["i"]]
    assert features[0]["x"].float_list.value == [0.5]
    assert features[2]["i"].int64_list.value == [-3]
    assert (
        records.read.format("tfrecord").schema(frame.schema).load(out).collect() == frame.collect()
    )


def test_overwrite_and_append(records: SparkSession, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    for mode in ("append", "append", "overwrite", "append"):
        records.range(3).write.format("tfrecord").mode(mode).save(out)
    assert records.read.format("tfrecord").load(out).count() == 6
    assert sorted(path.name for path in Path(out).iterdir() if path.name[0] in "._") == ["_SUCCESS"]


def test_a_failed_write_leaves_the_folder_as_it_was(records: SparkSession, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    records.range(3).write.format("tfrecord").mode("append").save(out)
    before = sorted(path.name for path in Path(out).iterdir())
    nulls = records.sql("SELECT array(1, null) AS x")
    with pytest.raises(Exception, match="The array in column 'x' contains a null"):
        nulls.write.format("tfrecord").mode("overwrite").save(out)
    assert sorted(path.name for path in Path(out).iterdir()) == before


def test_sequence_examples(records: SparkSession, tmp_path: Path) -> None:
    import tensorflow as tf

    out = str(tmp_path / "out")
    frame = records.createDataFrame(
        [("a", [[1, 2], [], [3]]), ("b", []), ("c", None)],
        "name string, steps array<array<bigint>>",
    )
    writer = frame.coalesce(1).write.format("tfrecord").option("recordType", "SequenceExample")
    writer.mode("append").save(out)
    (file,) = Path(out).glob("*.tfrecord")
    first = next(iter(tf.data.TFRecordDataset(str(file))))
    _, lists = tf.io.parse_single_sequence_example(
        first, sequence_features={"steps": tf.io.RaggedFeature(tf.int64)}
    )
    assert lists["steps"].to_list() == [[1, 2], [], [3]]
    reader = records.read.format("tfrecord").option("recordType", "SequenceExample")
    assert reader.load(out).dtypes == [("name", "binary"), ("steps", "array<array<bigint>>")]
    assert reader.schema(frame.schema).load(out).collect() == [
        Row(name="a", steps=[[1, 2], [], [3]]),
        Row(name="b", steps=[]),
        Row(name="c", steps=None),
    ]


def test_bytes_of_records(records: SparkSession, written: str) -> None:
    import tensorflow as tf

    reader = records.read.format("tfrecord").option("recordType", "ByteArray")
    found = [bytes(row.byteArray) for row in reader.load(f"{written}/part-0.tfrecord").collect()]
    there = tf.data.TFRecordDataset(f"{written}/part-0.tfrecord")
    assert found == [record.numpy() for record in there]


@pytest.mark.parametrize(
    ("options", "schema", "message"),
    [
        ({"recordtype": "Sample"}, None, "expected: Example, SequenceExample, ByteArray"),
        ({"recordTypes": "Example"}, None, "Did you mean 'recordType'"),
        ({}, "id date", "No Example can hold these columns: 1 mismatch"),
        ({}, "id array<date>", "column 'id' has the type array<date>"),
    ],
)
def test_refusals(
    records: SparkSession, written: str, options: dict[str, str], schema: Any, message: str
) -> None:
    reader = records.read.format("tfrecord").options(**options)
    with pytest.raises(Exception, match=message):
        (reader.schema(schema) if schema else reader).load(written).collect()


@pytest.fixture
def copied(records: SparkSession, tmp_path: Path) -> Callable[[int, int], list[int]]:
    """Write numbers to the folder `in`, read its new files as a stream, and return all numbers."""
    folder, out = str(tmp_path / "in"), str(tmp_path / "out")

    def run(start: int, end: int) -> list[int]:
        if start < end:
            records.range(start, end).write.format("tfrecord").mode("append").save(folder)
        stream = records.readStream.format("tfrecord").schema("id bigint").load(folder)
        query = stream.writeStream.format("parquet").option("checkpointLocation", f"{out}-c")
        query.trigger(availableNow=True).start(out).awaitTermination()
        return sorted(row.id for row in records.read.parquet(out).collect())

    return run


def test_a_stream_reads_each_file_once(copied: Callable[[int, int], list[int]]) -> None:
    assert copied(0, 3) == [0, 1, 2]
    assert copied(3, 5) == [0, 1, 2, 3, 4]


def test_a_start_without_files_does_not_read_the_old_ones_again(
    copied: Callable[[int, int], list[int]], tmp_path: Path
) -> None:
    assert copied(0, 3) == [0, 1, 2]
    (tmp_path / "in").rename(tmp_path / "away")
    assert copied(0, 0) == [0, 1, 2]
    (tmp_path / "away").rename(tmp_path / "in")
    assert copied(3, 5) == [0, 1, 2, 3, 4]


def test_files_that_are_away_for_a_moment_are_not_read_twice(
    records: SparkSession, tmp_path: Path
) -> None:
    folder, away = tmp_path / "in", tmp_path / "away"
    layout: Any = None  # a stream plans without it

    def reader() -> RecordStreamReader:
        return RecordStreamReader([str(folder)], layout)

    started = reader()
    assert (started.initialOffset(), started.latestOffset()) == ({}, {})
    records.range(3).write.format("tfrecord").mode("append").save(str(folder))
    read = started.latestOffset()
    assert len(read) > 0
    folder.rename(away)
    assert started.latestOffset() == read
    again = reader()
    with pytest.raises(InputNotFoundError):
        again.latestOffset()
    assert again.latestOffset(read) == read
    again = reader()
    assert len(again.partitions({}, read)) > 0
    assert again.latestOffset() == read
    away.rename(folder)
    assert again.latestOffset() == read
