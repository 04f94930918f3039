"""The published rows of a job are exactly the counted rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.protocol import cleanup_on_failure


@pytest.mark.parametrize("path", ["spark", "direct"])
@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_a_file_that_appears_late_is_not_published(
    path: str, mode: str, score: Any, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task attempt that was given up may wake up and write after the rows were counted."""
    publish = PathOutput.publish

    def write_late_and_publish(output: PathOutput, account: Any) -> None:
        (work,) = tmp_path.glob(".out.tfspark/work-*")
        staged = work / {"spark": "spark", "direct": "attempts"}[path]
        pq.write_table(pq.read_table(rows), staged / "part-99999-late.parquet")
        publish(output, account)

    if mode != "error":
        score("--input", rows, "--output", tmp_path / "out")
    monkeypatch.setattr(PathOutput, "publish", write_late_and_publish)
    score("--input", rows, "--output", tmp_path / "out", "--mode", mode, "--path", path)
    assert pq.read_table(tmp_path / "out").num_rows == (10 if mode == "append" else 5)
    assert not list((tmp_path / "out").glob("*late*"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "rows"]


class Stuck:
    """An output that cannot be left."""

    def suspend(self) -> None:
        raise OSError("no answer")

    discard = suspend


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "the lock is not released: no answer"),
        (ValueError(), "the staged files are not removed: no answer"),
    ],
)
def test_the_log_says_what_a_failed_job_leaves(
    error: BaseException, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    output: Any = Stuck()
    with pytest.raises(type(error)), cleanup_on_failure(output):
        raise error
    assert words in caplog.text
