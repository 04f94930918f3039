"""Drivers with their own JVM are killed before a step of the commit, and while they score."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from time import sleep
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.faults.driver import Driver
from tests.faults.numbered_rows import NEW, TOTAL, write_old
from tests.faults.reader import Reader, files_of, rows_of

pytestmark = pytest.mark.faults

IS_LONG = bool(os.environ.get("ROUNDS"))
# The first operation, the decision, the exchange of the folders, the last operation.
STEPS = {"first": ".", "decide": "rename .*draft", "exchange": "exchange", "last": "delete_last"}
SHORT = ("decide", "exchange")

CHUNKS, SLOTS = 10, 2
KILLS = 10 if IS_LONG else 1
# The most rows that both runs may score together, as a multiple of the rows of the input.
MOST_SCORED = 1.15


@pytest.mark.parametrize("step", STEPS if IS_LONG else SHORT)
def test_killed_before_a_step_and_run_again(
    step: str, drive: Any, job: Any, tmp_path: Path
) -> None:
    output = tmp_path / "place" / "out"
    write_old(output)
    before = files_of(output)
    driver: Driver = drive(output, "--mode", "overwrite", before=STEPS[step])
    driver.wait_until_planned()
    with Reader(output) as reader:
        driver.go()
        assert driver.end() == -signal.SIGKILL, driver.log.read_text()
        assert job(output, "--mode", "overwrite") == 0
    after = files_of(output)
    assert rows_of(after) == NEW
    assert reader.seen <= {before, after}
    assert [path.name for path in output.parent.iterdir()] == ["out"]


def finished(place: Path, path: str) -> list[Path]:
    """Return the finished parts of the direct path, or the records of finished groups."""
    what = "attempts/part-*" if path == "direct" else "groups/[0-9]*"
    return list(place.glob(f".out.tfspark/work-*/{what}"))


def rows_in(finished: list[Path], path: str) -> int:
    if path == "direct":
        return sum(pq.read_metadata(part).num_rows for part in finished)
    return sum(json.loads(record.read_text())["counts"]["rows_in"] for record in finished)


def rows_scored(calls: Path) -> int:
    """Return the rows that all calls of the counting model had; each call has one row."""
    return calls.read_bytes().count(b"\n") if calls.exists() else 0


@pytest.fixture
def counting(tmp_path: Path) -> tuple[Path, Path]:
    """The linear model, which also writes a line into a file in each call."""
    import tensorflow as tf

    from tfspark.testing import save_function

    base, calls = tmp_path / "counting", tmp_path / "calls"

    def score(inputs: Any) -> Any:
        tf.print("", output_stream=f"file://{calls}")
        return {"outputs": 2 * inputs[:, 0] - inputs[:, 1] + 3}

    save_function(base / "1", score, tf.TensorSpec((None, 2), tf.float32, "inputs"))
    return base, calls


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", ["direct", "spark"])
def test_killed_at_random_moments_while_scoring_and_run_again(
    path: str,
    drive: Any,
    job: Any,
    figure: Any,
    counting: tuple[Path, Path],
    many_rows: Path,
    tmp_path: Path,
) -> None:
    chance = random.Random(path)
    model, calls = counting
    for kill in range(KILLS):
        output = tmp_path / str(kill) / "out"
        output.parent.mkdir()
        flags = ("--path", path, "--chunks", CHUNKS, "--batch-size", 1, "--allow-ops", "PrintV2")
        calls.unlink(missing_ok=True)
        driver: Driver = drive(output, *flags, model=model, source=many_rows)
        driver.wait_until_planned()
        driver.go()
        moment = chance.randrange(TOTAL * 9 // 10)
        while rows_scored(calls) <= moment:
            assert driver.process.poll() is None, driver.log.read_text()
            sleep(0.01)
        driver.kill()
        kept = rows_in(finished(output.parent, path), path)
        begun = list(output.parent.glob(".out.tfspark/work-*/attempts/_part-*"))
        assert job(output, *flags, model=model, source=many_rows) == 0
        report = json.loads(next(output.glob("_tfspark_report_*.json")).read_text())
        assert rows_of(files_of(output)) == list(range(TOTAL))
        # Workers end after their driver, so they may have finished one more part.
        assert kept <= report["kept_rows"] < report["rows_in"] == TOTAL
        assert report["kept_rows"] + report["scored_rows"] == TOTAL
        scored = rows_scored(calls)
        assert TOTAL <= scored <= MOST_SCORED * TOTAL
        # One group, or the split of each slot, was begun and not finished.
        assert len(begun) <= SLOTS
        figure(
            f"{path}: killed, run again: {report['kept_rows']} of {TOTAL} rows kept, "
            f"{report['scored_rows']} scored; both runs scored {scored / TOTAL:.3f} x the input"
        )
        assert [one.name for one in output.parent.iterdir()] == ["out"]
