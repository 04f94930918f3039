"""Tables of Delta Lake, Iceberg and Hudi are not read, or written, as folders of files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from jobs.batch_score import main

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


def test_one_below_is_no_input_when_folders_are_searched(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    as_lake(rows, MARKS["a Delta table"])
    flags = ("--input", tmp_path, "--option", "recursiveFileLookup=true")
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
