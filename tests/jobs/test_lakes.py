"""Tables of Delta Lake, Iceberg and Hudi are not read, or written, as folders of files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.batch_score import main
from tfspark.spark.cluster.lakes import package_of

MARKS = {
    "a Delta table": "_delta_log/00000000000000000000.json",
    "an Iceberg table": "metadata/v1.metadata.json",
    "a Hudi table": ".hoodie/hoodie.properties",
}


def as_lake(folder: Path, mark: str) -> Path:
    (folder / mark).parent.mkdir(parents=True)
    (folder / mark).write_text("{}")
    return folder


@pytest.mark.parametrize("path", ["spark", "direct"])
@pytest.mark.parametrize("kind", list(MARKS))
def test_is_no_input(kind: str, path: str, end_of: Any, linear: Path, rows: Path) -> None:
    as_lake(rows, MARKS[kind])
    flags = ("--model", linear, "--input", rows, "--output", rows.parent / "out", "--path", path)
    ended = end_of(main, *flags)
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert f"{rows} is {kind}, not a folder of files" in ended.error
    assert "Hint: name the table with --input-table" in ended.error
    assert not (rows.parent / "out").exists()


@pytest.mark.parametrize("source", ["g=1/h=2", "g=*/h=2", "g=1/h=2/part-0.parquet", "*"])
def test_a_part_of_one_is_no_input(
    source: str, end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    lake = as_lake(tmp_path / "lake", MARKS["a Delta table"])
    shutil.copytree(rows, lake / "g=1" / "h=2")
    flags = ("--input", lake / source, "--output", tmp_path / "out")
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 65
    assert f"{lake / source} is a Delta table, part of file:{lake}" in ended.error


@pytest.mark.parametrize(
    ("place", "option"), [("lake", "recursiveFileLookup"), ("a/b/lake", "RECURSIVEFILELOOKUP")]
)
def test_one_below_is_no_input_when_folders_are_searched(
    place: str, option: str, end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    lake = shutil.copytree(rows, tmp_path / "in" / place)
    as_lake(lake, MARKS["a Delta table"])
    flags = ("--input", tmp_path / "in", "--option", f"{option}=true")
    ended = end_of(main, "--model", linear, *flags, "--output", tmp_path / "out")
    assert ended.code == 65


@pytest.mark.parametrize(
    ("mode", "inside"), [("overwrite", ""), ("append", ""), ("error", "new"), ("append", "g=1")]
)
def test_is_no_output(
    mode: str, inside: str, end_of: Any, linear: Path, rows: Path, tmp_path: Path, files_under: Any
) -> None:
    lake = as_lake(tmp_path / "la[ke", MARKS["an Iceberg table"])
    before = files_under(tmp_path)
    flags = ("--input", rows, "--output", lake / inside, "--mode", mode)
    ended = end_of(main, "--model", linear, *flags)
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert "is an Iceberg table" in ended.error
    assert "--output-table" in ended.error
    assert files_under(tmp_path) == before


PACKAGES = {
    "delta": "io.delta:delta-spark_{line}_2.13",
    "iceberg": "org.apache.iceberg:iceberg-spark-runtime-{line}_2.13",
}


@pytest.mark.parametrize("lake", list(PACKAGES))
def test_the_package_of_a_missing_format_is_named(
    lake: str, spark: SparkSession, end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    flags = ("--input", rows, "--input-format", lake, "--output", tmp_path / "out")
    ended = end_of(main, "--model", linear, *flags)
    assert (ended.code, ended.spark_jobs) == (2, 0)
    package = PACKAGES[lake].format(line=".".join(spark.version.split(".")[:2]))
    assert f"--packages {package}:<version>" in ended.error


def test_the_package_of_a_missing_catalog_is_named(
    spark: SparkSession, end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    spark.conf.set("spark.sql.catalog.nojar", "org.apache.iceberg.spark.SparkCatalog")
    places = [
        ("--input-table", "nojar.db.source", "--output", tmp_path / "out"),
        ("--input", rows, "--output-table", "nojar.db.scored"),
    ]
    for flags in places:
        ended = end_of(main, "--model", linear, *flags)
        assert (ended.code, ended.spark_jobs) == (2, 0)
        assert "--packages org.apache.iceberg:iceberg-spark-runtime-" in ended.error
    spark.conf.unset("spark.sql.catalog.nojar")


@pytest.mark.parametrize(
    ("version", "lake", "package"),
    [
        ("3.5.9", "delta", "io.delta:delta-spark_2.12:<version>"),
        ("3.5.9", "iceberg", "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:<version>"),
        ("4.0.5", "delta", "io.delta:delta-spark_4.0_2.13:<version>"),
        ("4.10.0", "iceberg", "org.apache.iceberg:iceberg-spark-runtime-4.10_2.13:<version>"),
    ],
)
def test_a_package_is_that_of_the_spark_line(version: str, lake: str, package: str) -> None:
    assert package_of(version, lake) == package
