"""The batch job reads and writes TFRecord files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import tfspark
from jobs.batch_score import main

pytest.importorskip("google_crc32c")
pytest.importorskip("pyspark.sql.datasource")

IN = ("--input-format", "tfrecord", "--output-format", "tfrecord", "--feed", "inputs=features")


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
