"""Broken, incomplete or changed input ends the job with the name of the file, on both paths."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from pyspark.sql import SparkSession

from jobs.batch_score import main
from tfspark.data_files.footers import read_footers
from tfspark.data_files.listing import list_files
from tfspark.errors import InvalidInputError
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.input import spark_input
from tfspark.scoring.input.spark_input import SparkInput
from tfspark.scoring.job import BatchJob

BOTH = pytest.mark.parametrize("path", ["spark", "direct"])


def points(first: int, kind: pa.DataType | None = None) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([first, first + 1], pa.int32()),
            "features": pa.array([[1.0, 2.0], [3.0, 5.0]], kind or pa.list_(pa.float32())),
            "name": ["a", "b"],
        }
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(points(0), folder / "a.parquet")
    pq.write_table(points(2), folder / "b.parquet")
    return folder


@pytest.fixture
def refused(end_of: Any, linear: Path, tmp_path: Path) -> Callable[..., str]:
    """Run the job, which must end with code 65 and without output; return its message."""

    def run(folder: Path, *flags: object) -> str:
        before = sorted(tmp_path.iterdir())
        flags = ("--model", linear, "--input", folder, *flags, "--output", tmp_path / "out")
        ended = end_of(main, *flags)
        assert ended.code == 65, ended.error or ended.stdout
        assert "Hint: " in ended.error
        assert sorted(tmp_path.iterdir()) == before
        return ended.error

    return run


# --- files of Parquet and ORC --------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", [-20, 30])
def test_a_truncated_file_is_named(path: str, size: int, source: Path, refused: Any) -> None:
    whole = (source / "b.parquet").read_bytes()
    (source / "b.parquet").write_bytes(whole[:size])
    assert "b.parquet cannot be read" in refused(source, "--path", path)


@BOTH
def test_broken_pages_are_named(path: str, source: Path, refused: Any) -> None:
    whole = bytearray((source / "b.parquet").read_bytes())
    whole[4:200] = bytes(196)
    (source / "b.parquet").write_bytes(whole)
    assert "b.parquet cannot be read" in refused(source, "--path", path)


@pytest.mark.parametrize("path", ["auto", "direct"])
@pytest.mark.parametrize("name", ["a.parquet", "c.parquet"])
def test_a_text_file_among_parquet_files_is_named(
    path: str, name: str, source: Path, refused: Any
) -> None:
    (source / name).write_text("id,x0,x1\n0,1,2\n")
    assert f"{name} cannot be read" in refused(source, "--path", path)


@BOTH
@pytest.mark.parametrize("name", ["b.parquet", "c.parquet"])
def test_an_empty_file_is_named(path: str, name: str, source: Path, refused: Any) -> None:
    (source / name).write_bytes(b"")
    assert f"{source / name} is empty: its rows are missing" in refused(source, "--path", path)


@pytest.mark.parametrize(
    ("path", "lacks", "column"),
    [
        ("spark", "a", "name"),
        ("spark", "b", "features"),
        ("direct", "a", "features"),
        ("direct", "b", "name"),
    ],
)
def test_a_file_that_lacks_a_column_is_named(
    path: str, lacks: str, column: str, source: Path, refused: Any, score: Any
) -> None:
    file = source / f"{lacks}.parquet"
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    error = refused(source, "--path", path, "--feed", "inputs=features")
    assert f"{file} lacks '{column}'" in error


@BOTH
def test_a_column_that_is_not_wanted_may_be_missing(
    path: str, source: Path, score: Any, tmp_path: Path
) -> None:
    pq.write_table(points(0).drop_columns(["name"]), source / "a.parquet")
    flags = ("--input", source, "--keep", "id", "--output", tmp_path / "out", "--path", path)
    assert score(*flags).report["rows_out"] == 4


@BOTH
@pytest.mark.parametrize("lacks", ["a", "b"])
def test_missing_columns_are_null_when_allowed(
    path: str, lacks: str, source: Path, score: Any, tmp_path: Path
) -> None:
    file = source / f"{lacks}.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["name"]), file)
    way = "auto" if path == "direct" else path
    score("--input", source, "--allow-missing", "--output", tmp_path / "out", "--path", way)
    names = pq.read_table(tmp_path / "out").sort_by("id")["name"].to_pylist()
    assert names == ([None, None, "a", "b"] if lacks == "a" else ["a", "b", None, None])


@pytest.mark.parametrize(("path", "lacks"), [("spark", "a"), ("direct", "b")])
def test_a_field_that_one_file_lacks_is_named(
    path: str, lacks: str, source: Path, refused: Any
) -> None:
    for name in "ab":
        fields = {"x": 1} if name == lacks else {"x": 1, "y": 2}
        table = points(0).append_column("s", pa.array([fields] * 2))
        pq.write_table(table, source / f"{name}.parquet")
    assert f"{lacks}.parquet lacks 's.y'" in refused(source, "--path", path)


@BOTH
def test_a_file_of_another_type_is_named(path: str, source: Path, refused: Any) -> None:
    pq.write_table(points(2, pa.list_(pa.float64())), source / "b.parquet")
    error = refused(source, "--path", path)
    assert "b.parquet" in error
    assert "double" in error.lower()


@BOTH
def test_nulls_may_be_allowed_in_a_later_file_only(
    path: str, source: Path, score: Any, tmp_path: Path
) -> None:
    required = pa.list_(pa.field("element", pa.float32(), nullable=False))
    pq.write_table(points(0, required), source / "a.parquet")
    later = points(2).set_column(
        1, "features", pa.array([[1.0, None], None], pa.list_(pa.float32()))
    )
    pq.write_table(later, source / "b.parquet")
    flags = ("--input", source, "--output", tmp_path / "out", "--path", path)
    assert score(*flags).report["null_rows"] == 2


@BOTH
def test_an_orc_column_of_another_type_is_not_converted(
    path: str, tmp_path: Path, refused: Any
) -> None:
    """Spark would read the text as null."""
    folder = tmp_path / "in"
    folder.mkdir()
    pa.orc.write_table(points(0), folder / "a.orc")
    words = points(2).set_column(0, "id", pa.array(["x", "2"]))
    pa.orc.write_table(words, folder / "b.orc")
    error = refused(folder, "--input-format", "orc", "--path", path)
    assert "have different schemas: column 'id' of" in error
    assert "b.orc" in error


# --- text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spark", "2,3.0,5.0,9"),
        pytest.param("spark", "2,3.0", id="too few"),
        pytest.param("spark", "2", id="one"),
        ("direct", "2,3.0,5.0,9"),
    ],
)
def test_a_line_of_other_fields_is_named(
    path: str, line: str, tmp_path: Path, refused: Any
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("id,x0,x1\n0,1.0,2.0\n")
    (folder / "b.csv").write_text(f"id,x0,x1\n1,1.0,2.0\n{line}\n3,1.0,2.0\n")
    flags = ("--input-format", "csv", "--feed", "inputs=x0,x1", "--keep", "x0", "--path", path)
    error = refused(folder, *flags)
    assert "b.csv" in error
    assert ("in line 3." if path == "spark" else line) in error


@BOTH
def test_columns_in_another_order_are_not_mixed_up(
    path: str, tmp_path: Path, end_of: Any, linear: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("id,x0,x1\n0,1.0,2.0\n")
    (folder / "b.csv").write_text("id,x1,x0\n1,5.0,3.0\n")
    flags = ("--input", folder, "--input-format", "csv", "--feed", "inputs=x0,x1", "--path", path)
    ended = end_of(main, "--model", linear, *flags, "--output", tmp_path / "out")
    if path == "spark":
        assert ended.code == 65
        assert "b.csv has another header than" in ended.error
    else:
        assert pq.read_table(tmp_path / "out").sort_by("id")["outputs"].to_pylist() == [3.0, 4.0]


@BOTH
def test_a_broken_line_of_json_is_named(path: str, tmp_path: Path, refused: Any) -> None:
    lines = ['{"id": 1, "features": [1.0, 2.0]}', '{"id": 2, "features": [3.0,', '{"id": 3}']
    (tmp_path / "rows.json").write_text("\n".join(lines) + "\n")
    error = refused(tmp_path / "rows.json", "--input-format", "json", "--path", path)
    assert "rows.json" in error
    assert path == "direct" or "in line 2." in error


def test_broken_records_are_null_when_the_user_says_so(score: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,x0,x1\n0,1.0,2.0\n1,3.0,5.0,9\n2,3.0\n")
    flags = ("--input", tmp_path / "rows.csv", "--input-format", "csv", "--feed", "inputs=x0,x1")
    report = score(*flags, "--option", "MODE=PERMISSIVE", "--output", tmp_path / "out").report
    assert (report["rows_out"], report["null_rows"]) == (3, 1)


# --- changes during the job ----------------------------------------------------------------------


def grow(file: Path) -> None:
    pq.write_table(pa.concat_tables([pq.read_table(file)] * 5), file)


def write_again(file: Path) -> None:
    os.utime(file, ns=(0, 0))


@BOTH
@pytest.mark.parametrize("change", [grow, write_again, Path.unlink])
def test_a_file_that_changes_is_named(
    path: Any, change: Callable[[Path], None], spark: SparkSession, linear: Path, source: Path
) -> None:
    target = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(target)), path=path)
    report = new_report("test")
    planned = plan(spark, job, report)
    change(source / "b.parquet")
    with pytest.raises(InvalidInputError, match=r"b\.parquet (changed while|cannot be read)"):
        execute(spark, planned, report)
    assert not target.exists()


def test_a_file_that_grows_while_spark_reads_it_is_named(
    spark: SparkSession, linear: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfspark.scoring.output.folder import PathOutput

    target = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(target)), path="spark")
    report = new_report("test")
    planned = plan(spark, job, report)
    stage = PathOutput.stage

    def stage_and_grow(*given: Any) -> None:
        stage(*given)
        grow(source / "b.parquet")

    monkeypatch.setattr(PathOutput, "stage", stage_and_grow)
    with pytest.raises(InvalidInputError, match=r"b\.parquet changed while the job ran"):
        execute(spark, planned, report)
    assert not target.exists()


def test_the_log_says_once_that_columns_are_not_compared(
    spark: SparkSession,
    linear: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: str) -> None:
        raise OSError("no credentials")

    monkeypatch.setattr(spark_input, "open_filesystem", refuse)
    caplog.set_level("INFO", logger="tfspark")
    target = source.parent / "out"
    job = BatchJob(str(linear), Dataset(str(source)), Dataset(str(target)), path="spark")
    report = new_report("test")
    execute(spark, plan(spark, job, report), report)
    said = [one.getMessage() for one in caplog.records if "not compared" in one.getMessage()]
    assert said == ["the columns of the input files are not compared: no credentials"]


# --- rows ----------------------------------------------------------------------------------------


def test_a_bad_row_names_its_file(source: Path, refused: Any) -> None:
    bad = points(2).set_column(1, "features", pa.array([[1.0, 2.0], [1.0]], pa.list_(pa.float32())))
    pq.write_table(bad, source / "b.parquet")
    assert f"from {source / 'b.parquet'}" in refused(source, "--path", "direct")


def test_a_path_that_is_not_there_is_looked_for(
    end_of: Any, linear: Path, source: Path, tmp_path: Path
) -> None:
    for name, hint in (
        (source / "aa.parquet", "mean 'a.parquet'?"),
        ("nowhere", "begins at"),
    ):
        ended = end_of(main, "--model", linear, "--input", name, "--output", tmp_path / "out")
        assert ended.code == 66
        assert hint in ended.error


def test_spark_may_know_the_columns_of_a_later_file_only(tmp_path: Path) -> None:
    """Spark takes the columns of ORC files from the first file in the file system's order."""
    pa.orc.write_table(points(0), tmp_path / "a.orc")
    pa.orc.write_table(points(2).drop_columns(["name"]), tmp_path / "b.orc")
    local = fs.LocalFileSystem()
    files = list_files(local, str(tmp_path))
    session: Any = None
    source = SparkInput(session, [], files, read_footers(local, files, "orc"), "orc")
    source.explain_unbound(points(0).column_names)
    known = [name for name in points(0).column_names if name != "name"]
    with pytest.raises(InvalidInputError, match=r"b.orc lacks 'name'"):
        source.explain_unbound(known)
