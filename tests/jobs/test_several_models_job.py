"""The job with several models, on the direct path and through Spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs import batch_score


@pytest.fixture
def two(linear: Path, newer: Path) -> tuple[str, ...]:
    return ("--models", f"old={linear}", "--models", f"new={newer}")


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_both_versions_and_their_difference_are_columns(
    path: str, two: tuple[str, ...], end_of: Any, rows: Path, tmp_path: Path
) -> None:
    columns = ("--fetch", "outputs=y", "--fetch", "new.outputs=z", "--keep", "id")
    flags = (*two, *columns, "--path", path, "--input", rows, "--output", tmp_path / "out")
    ended = end_of(batch_score.main, *flags)
    assert ended.code == 0, ended.error
    found = pq.read_table(tmp_path / "out").sort_by("id")
    assert found.to_pylist()[1:3] == [
        {"id": 1, "old_y": 4.0, "new_z": 8.0},
        {"id": 2, "old_y": None, "new_z": None},
    ]
    report = ended.report
    assert (report["rows_in"], report["rows_out"], report["null_rows"]) == (5, 5, 1)
    assert [report["model"][key]["version"] for key in ("old", "new")] == [1, 2]
    assert [report["engine"][key]["engine"] for key in ("old", "new")] == ["native", "native"]


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_the_difference_is_a_column(
    path: str, two: tuple[str, ...], end_of: Any, rows: Path, tmp_path: Path
) -> None:
    flags = (*two, "--difference", "--path", path, "--input", rows, "--output", tmp_path / "out")
    assert end_of(batch_score.main, *flags).code == 0
    found = pq.read_table(tmp_path / "out").sort_by("id")
    assert found.column_names[2:] == ["old_outputs", "new_outputs", "difference_outputs"]
    assert found["difference_outputs"].to_pylist() == [0.0, 4.0, None, 6.0, -3.0]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--model-sha256", "0" * 64), 2, "--model-sha256 is the digest of a single model"),
        (("--bad-rows", "bad"), 2, "A job with several models cannot set bad rows aside"),
        (("--feed", "new.inputs=nothing"), 65, "model 'new': input inputs"),
        (("--feed", "other.inputs=id"), 65, "model 'old': feed names 'other.inputs'"),
    ],
)
def test_wrong_flags_are_refused_before_any_task(
    flags: tuple[str, ...], code: int, message: str, two: Any, end_of: Any, rows: Path
) -> None:
    ended = end_of(batch_score.main, *two, *flags, "--input", rows, "--output", "out")
    assert (ended.code, ended.spark_jobs) == (code, 0)
    assert message in ended.error


def test_a_dry_run_shows_both_models(two: Any, end_of: Any, rows: Path) -> None:
    ended = end_of(batch_score.main, *two, "--dry-run", "--input", rows, "--output", "out")
    assert "model 'old': linear_model version 1" in ended.stdout
    assert "model 'new': newer version 2" in ended.stdout
    assert "columns id int, features array<float>, old_outputs float" in ended.stdout
