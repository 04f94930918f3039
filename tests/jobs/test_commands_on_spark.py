"""The commands of `tfspark` on a session: the same rows as the jobs, with a short summary."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from tfspark.cli import recover_output, score, sql
from tfspark.scoring.output import recover


def test_a_run_ends_with_five_lines(end_of: Any, linear: Path, rows: Path, tmp_path: Path) -> None:
    words = ["--model", linear, "--input", rows, "--output", tmp_path / "out"]
    ended = end_of(score.main, *words)
    assert ended.code == 0, ended.error
    shown = dict(line.split(None, 1) for line in ended.stdout.splitlines())
    assert [*shown] == ["rows", "rejected", "time", "engine", "output"]
    assert shown["rows"] == "5 scored, 1 with null"
    assert shown["rejected"] == "0"
    assert re.fullmatch(r"[\d.]+ s, [\d,]+ rows/s \([\d.]+ s with .+\)", shown["time"])
    assert shown["engine"] == "native, direct path"
    assert Path(shown["output"].rpartition("report ")[2]).exists()
    assert pq.read_table(tmp_path / "out").num_rows == 5

    again = end_of(score.main, *words)
    assert again.code == 73
    assert "The output already exists" in again.error
    found = end_of(recover_output.main, tmp_path / "out")
    assert found.stdout.endswith("no files of killed jobs remain\n")
    mistyped = end_of(recover_output.main, tmp_path / "ouut")
    assert mistyped.code == 66
    assert "There is no output" in mistyped.error
    assert "Did you mean 'out'?" in mistyped.error


def test_a_table_without_a_folder_has_nothing_to_recover(end_of: Any, view: str) -> None:
    """A view stands for a table of another catalog, whose folder is not known either."""
    ended = end_of(recover_output.main, view)
    assert ended.code == 0, ended.error
    assert ended.stdout.endswith("no files of killed jobs remain\n")


@pytest.mark.parametrize("exists", [True, False])
def test_a_table_of_another_catalog_is_an_output(
    exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folders(*_: object) -> list[str]:
        return []

    monkeypatch.setattr(recover, "_folders", folders)
    asked: list[str] = []
    catalog = SimpleNamespace(
        currentCatalog=lambda: "spark_catalog",
        tableExists=lambda name: asked.append(name) or exists,
    )
    conf = SimpleNamespace(get=lambda name, _: name.endswith(".cat"))
    spark: Any = SimpleNamespace(catalog=catalog, conf=conf)
    assert recover.is_there(spark, "cat.db.t") is exists
    assert asked == ["`cat`.`db`.`t`"]
    assert not recover.is_there(spark, "folder/t")


def test_a_query_shows_rows(end_of: Any, linear: Path, view: str) -> None:
    words = ("--register", f"f={linear}", "--query", f"SELECT f(features) AS y FROM {view}")
    ended = end_of(sql.main, *words)
    assert ended.code == 0, ended.error
    assert "|3.0|" in ended.stdout
