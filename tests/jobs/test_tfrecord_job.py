"""The batch job reads and writes TFRecord files."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import tfspark
from jobs.batch_score import main
from tfspark.example_pb2 import Example
from tfspark.tfrecord.records import framed

pytest.importorskip("google_crc32c")
pytest.importorskip("pyspark.sql.datasource")

FROM = ("--input-format", "tfrecord", "--feed", "inputs=features")
IN = (*FROM, "--output-format", "tfrecord")


@pytest.fixture
def source(spark: SparkSession, tmp_path: Path) -> Path:
    tfspark.register_tfrecord(spark)
    rows = spark.createDataFrame(
        [(0, [1.0, 2.0]), (1, [3.0, 5.0]), (2, None)], "id bigint, features array<float>"
    )
    rows.coalesce(1).write.format("tfrecord").mode("append").save(str(tmp_path / "in"))
    return tmp_path / "in"


def test_reads_and_writes_tfrecord(
    score: Any, source: Path, spark: SparkSession, tmp_path: Path
) -> None:
    flags = ("--input", source, *IN, "--keep", "id", "--output", tmp_path / "out")
    ended = score(*flags)
    assert (ended.report["rows_in"], ended.report["rows_out"]) == (3, 3)
    written = spark.read.format("tfrecord").load(str(tmp_path / "out"))
    assert sorted(written.collect()) == [(0, 3.0), (1, 4.0), (2, None)]


@pytest.mark.parametrize("name", ["b.tfrecord", "b.tfrecord.gz"])
def test_both_paths_give_the_same_rows(score: Any, source: Path, tmp_path: Path, name: str) -> None:
    add_file(source / name, [{"id": 3}, {"id": 4, "features": [7.0, 9.0], "unused": [1.0]}])
    tables = []
    for path in ("direct", "spark"):
        output = tmp_path / path
        ended = score("--input", source, *FROM, "--output", output, "--path", path)
        assert ended.report["path"] == path
        tables.append(pq.read_table(output).sort_by("id"))
    assert tables[0].equals(tables[1])
    assert tables[0].column_names == ["features", "id", "unused", "outputs"]
    assert tables[0]["outputs"].to_pylist() == [3.0, 4.0, None, None, 8.0]


def test_the_direct_path_is_the_default(score: Any, source: Path, tmp_path: Path) -> None:
    ended = score("--input", source, *FROM, "--keep", "id", "--output", tmp_path / "out")
    assert ended.report["path"] == "direct"
    assert pq.read_table(tmp_path / "out").column_names == ["id", "outputs"]


def test_options_are_left_to_spark(score: Any, source: Path, tmp_path: Path) -> None:
    flags = ("--option", "recordType=Example", "--output", tmp_path / "out")
    assert score("--input", source, *FROM, *flags).report["path"] == "spark"


def test_files_without_records_have_no_columns(end_of: Any, linear: Path, tmp_path: Path) -> None:
    source = tmp_path / "empty"
    source.mkdir()
    (source / "a.tfrecord").touch()
    ended = end_of(main, "--model", linear, "--input", source, *FROM, "--output", tmp_path / "out")
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert "cannot be inferred" in ended.error


def test_an_empty_file_beside_others_has_no_rows(score: Any, source: Path, tmp_path: Path) -> None:
    (source / "empty.tfrecord").touch()
    ended = score("--input", source, *FROM, "--output", tmp_path / "out")
    assert (ended.report["path"], ended.report["rows_in"]) == ("direct", 3)


def test_a_broken_record_after_the_first_ones_is_named(
    end_of: Any, linear: Path, source: Path, tmp_path: Path
) -> None:
    file = source / "c.tfrecord"
    add_file(file, [{"id": number, "features": [1.0, 2.0]} for number in range(200)])
    content = bytearray(file.read_bytes())
    content[-9] ^= 1
    file.write_bytes(bytes(content))
    ended = end_of(main, "--model", linear, "--input", source, *FROM, "--output", tmp_path / "out")
    assert ended.code == 65
    assert f"of {file} is broken" in ended.error
    assert not (tmp_path / "out").exists()


def add_file(path: Path, examples: Sequence[Mapping[str, Any]]) -> None:
    """Write Examples whose features are integers or lists of floats."""
    records = []
    for values in examples:
        example = Example()
        for name, value in values.items():
            feature = example.features.feature[name]
            if isinstance(value, int):
                feature.int64_list.value.append(value)
            else:
                feature.float_list.value.extend(value)
        records.append(example.SerializeToString())
    content = b"".join(framed(records))
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_a_broken_file_is_named(end_of: Any, linear: Path, source: Path, tmp_path: Path) -> None:
    (file,) = source.glob("*.tfrecord")
    file.write_bytes(file.read_bytes()[:-1])
    ended = end_of(main, "--model", linear, "--input", source, *IN, "--output", tmp_path / "out")
    assert ended.code == 65
    assert f"of {file} is broken" in ended.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--partition-by", "id"), 2, "leave out --partition-by"),
        (("--output-option", "recordType=nothing"), 2, "expected: Example, SequenceExample"),
        (("--option", "recordTypes=Example"), 2, "Did you mean 'recordType'"),
    ],
)
def test_refusals(
    end_of: Any, linear: Path, source: Path, tmp_path: Path, flags: Any, code: int, message: str
) -> None:
    ended = end_of(
        main, "--model", linear, "--input", source, *IN, "--output", tmp_path / "out", *flags
    )
    assert (ended.code, ended.spark_jobs) == (code, 0)
    assert message in ended.error
