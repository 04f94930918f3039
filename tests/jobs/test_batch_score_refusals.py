"""The batch job in this process: bad input is one message, an exit code and not a trace."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.batch_score import main


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--model m",
        "--model m --input i",
        "--model m --input i --input-table t --output o",
        "--model m --input i --output o --output-table t",
        "--model m --input i --output o --mode replace",
        "--model m --input i --output o --feed inputs",
        "--model m --input i --output o --feed inputs=a,,b",
        "--model m --input i --output o --feed a=b --feed a=c",
        "--model m --input i --output o --batch-size 0",
        "--model m --input i --output o --version one",
        "--model m --input i --output o --input-format xml",
        "--model m --input i --output o --option header",
    ],
)
def test_usage_error(flags: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(flags.split())
    assert end.value.code == 2
    assert "usage: batch_score.py" in capsys.readouterr().err


def broken_model(name: str, linear: Path, folder: Path) -> Path:
    """Return the base path of a model that is not whole, in one of several ways."""
    base = folder / "model"
    shutil.copytree(linear, base)
    file = base / "1" / "saved_model.pb"
    match name:
        case "missing":
            return folder / "nothing"
        case "empty":
            shutil.rmtree(base / "1")
        case "truncated":
            file.write_bytes(file.read_bytes()[:-50])
        case "without variables":
            shutil.rmtree(base / "1" / "variables")
        case "newest broken":
            (base / "2").mkdir()
    return base


@pytest.mark.parametrize(
    ("name", "flags", "error"),
    [
        ("missing", "", "There is no model folder"),
        ("empty", "", "There is no SavedModel"),
        ("truncated", "", "is not a whole SavedModel"),
        ("without variables", "", "is incomplete"),
        ("newest broken", "", "holds no saved_model.pb"),
        ("whole", "--version 9", "There is no version 9"),
        ("whole", "--signature other", "has no signature 'other'"),
    ],
)
def test_bad_model_is_refused(
    name: str,
    flags: str,
    error: str,
    end_of: Any,
    linear: Path,
    rows: Path,
    tmp_path: Path,
    files_under: Any,
) -> None:
    model = broken_model(name, linear, tmp_path)
    shutil.copytree(rows, tmp_path / "out")
    before = files_under(tmp_path)
    flags = ("--model", model, *flags.split(), "--input", rows, "--output", tmp_path / "out")
    ended = end_of(main, *flags, "--mode", "overwrite")
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert error in ended.error
    assert "Hint: " in ended.error
    assert files_under(tmp_path) == before


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ("--feed inputs=feature", "there is no column 'feature'. Did you mean 'features'?"),
        ("--feed input=features", "feed names 'input', which is not an input"),
        ("--feed inputs=words", "found column 'words' of array<string>"),
        ("--feed inputs=x0,x1,x2 --narrow", "found 3 columns: 'x0', 'x1', 'x2'"),
        ("--feed inputs=features --keep x0,x9", "no column 'x9'"),
        ("--feed inputs=features --fetch y=z", "fetch names 'y', which is not an output"),
        ("--feed inputs=features --fetch outputs=X0", "there is already a column 'x0'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    flags: str, error: str, end_of: Any, linear: Path, view: str, tmp_path: Path
) -> None:
    flags = ("--model", linear, "--input-table", view, *flags.split())
    ended = end_of(main, *flags, "--output", tmp_path / "out")
    assert (ended.code, ended.spark_jobs) == (65, 0)
    assert error in ended.error
    assert "Hint: " in ended.error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_one_column_does_not_feed_two_inputs(
    path: str, end_of: Any, two_inputs: Path, tmp_path: Path, files_under: Any
) -> None:
    pq.write_table(pa.table({"left": np.ones(3, np.float32)}), tmp_path / "one.parquet")
    before = files_under(tmp_path)
    flags = ("--model", two_inputs, "--input", tmp_path / "one.parquet", "--path", path)
    ended = end_of(main, *flags, "--output", tmp_path / "out")
    assert ended.code == 65
    assert "input right: float32 (None,): no column of that name" in ended.error
    assert files_under(tmp_path) == before


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_row_of_the_wrong_length_is_named(
    path: str, end_of: Any, linear: Path, bad_rows: Path, tmp_path: Path
) -> None:
    flags = ("--model", linear, "--input", bad_rows, "--output", tmp_path / "out", "--path", path)
    ended = end_of(main, *flags)
    assert ended.code == 65
    assert "model linear_model version 1" in ended.error
    assert "column 'features', row 9 of partition 0" in ended.error
    assert "expected a row of shape (2,), found (3,)" in ended.error
    assert [path.name for path in tmp_path.iterdir()] == ["bad.parquet"]


def test_all_mismatches_come_at_once(
    end_of: Any, two_inputs: Path, view: str, tmp_path: Path
) -> None:
    flags = ("--model", two_inputs, "--input-table", view, "--feed", "lef=x0")
    ended = end_of(main, *flags, "--output", tmp_path / "out")
    assert "3 mismatches" in ended.error


def test_input_whose_name_is_a_glob_is_shown_escaped(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    rows.rename(tmp_path / "a[1]")
    flags = ("--model", linear, "--output", tmp_path / "out", "--input")
    ended = end_of(main, *flags, tmp_path / "a[1]")
    assert ended.code == 66
    assert r"Spark takes it as a glob: write 'a\[1\]'." in ended.error
    assert end_of(main, *flags, tmp_path / r"a\[1\]").code == 0


@pytest.mark.parametrize(
    "source",
    ["--input {0}/nothing", "--input {0}/empty", "--input-table nothing", "--input-table no.thing"],
)
def test_missing_input(source: str, end_of: Any, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    flags = (*source.format(tmp_path).split(), "--output", tmp_path / "out")
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 66
    assert ended.error.startswith("There is no input: ")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_input_of_another_format(end_of: Any, linear: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_text("id,x0,x1\n")
    flags = ("--input", tmp_path / "rows.parquet", "--output", tmp_path / "out")
    ended = end_of(main, "--model", linear, *flags)
    assert ended.code == 65
    assert "rows.parquet cannot be read" in ended.error


def test_existing_output(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path, files_under: Any
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("mine")
    before = files_under(tmp_path)
    ended = end_of(main, "--model", linear, "--input", rows, "--output", tmp_path / "out")
    assert (ended.code, ended.spark_jobs) == (73, 0)
    assert "--mode overwrite, or --mode append" in ended.error
    assert files_under(tmp_path) == before


def test_existing_table(
    end_of: Any, linear: Path, rows: Path, spark: SparkSession, tables: str
) -> None:
    spark.sql(f"CREATE TABLE {tables}.y AS SELECT 1 a")
    ended = end_of(main, "--model", linear, "--input", rows, "--output-table", f"{tables}.y")
    assert (ended.code, ended.spark_jobs) == (73, 0)
    assert spark.table(f"{tables}.y").columns == ["a"]


@pytest.mark.parametrize(
    ("flags", "code", "error"),
    [
        ("--output {0}/file --mode overwrite", 73, "is a file"),
        ("--output {0}/file/out", 73, "is a file"),
        ("--output {0} --mode overwrite", 2, "which the job reads"),
        ("--output / --mode overwrite", 2, "is a whole file system"),
        ("--output unknown://host/out", 2, "Spark has no file system for 'unknown://host/out'"),
        ("--output {0}/out --report {0}/rows", 2, "expected: a file"),
        ("--output {0}/out --report {0}/file/report.json", 73, "is a file"),
        ("--output-table nowhere.y", 2, "There is no schema `nowhere`"),
        ("--output-table a..y", 2, "is not a table name"),
        ("--output-table a_view --mode overwrite", 73, "is a view"),
        ("--output {0}/out --output-format csv", 65, "CSV cannot hold 'features'"),
        ("--output {0}/out --output-option compression=no", 65, "codec no is not available"),
        ("--output {0}/out --output-format avro", 2, "Avro support is not installed"),
    ],
)
def test_output_that_cannot_be_written_is_refused(
    flags: str,
    code: int,
    error: str,
    end_of: Any,
    linear: Path,
    rows: Path,
    tmp_path: Path,
    files_under: Any,
    view: str,
) -> None:
    (tmp_path / "file").write_text("mine")
    before = files_under(tmp_path)
    flags = flags.format(tmp_path).split()
    ended = end_of(main, "--model", linear, "--input", rows, *flags)
    assert ended.code == code
    assert error in ended.error
    assert files_under(tmp_path) == before


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_rows_of_other_columns_are_not_appended(
    kind: str, score: Any, end_of: Any, linear: Path, rows: Path, tmp_path: Path, files_under: Any
) -> None:
    flags = ("--input", rows, "--keep", "id", "--output", tmp_path / "out")
    flags = (*flags, "--output-format", kind, "--path", "spark")
    score(*flags)
    before = files_under(tmp_path)
    ended = end_of(
        main, "--model", linear, *flags, "--mode", "append", "--fetch", "outputs=another"
    )
    assert ended.code == 65
    assert "The rows do not have the columns of" in ended.error
    assert files_under(tmp_path) == before


def test_unforeseen_failure_is_one_message(
    end_of: Any, linear: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr("tfspark.scoring.output.folder.PathOutput.publish", fail)
    ended = end_of(main, "--model", linear, "--input", rows, "--output", tmp_path / "out")
    assert ended.code == 70
    assert ended.error.startswith("The job failed.\n  found:    no space left\nHint: ")
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]
