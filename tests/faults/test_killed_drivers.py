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
KILLS = 10 if IS_LONG else 2


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


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("path", ["direct", "spark"])
def test_killed_at_random_moments_while_scoring_and_run_again(
    path: str, drive: Any, job: Any, figure: Any, many_rows: Path, tmp_path: Path
) -> None:
    chance = random.Random(path)
    for kill in range(KILLS // 2 if path == "spark" or not IS_LONG else KILLS):
        output = tmp_path / str(kill) / "out"
        output.parent.mkdir()
        flags = ("--path", path, "--chunks", CHUNKS, "--batch-size", 1)
        driver: Driver = drive(output, *flags, source=many_rows)
        driver.wait_until_planned()
        driver.go()
        wanted = chance.randrange(CHUNKS - 1)
        while len(finished(output.parent, path)) <= wanted:
            assert driver.process.poll() is None, driver.log.read_text()
            sleep(chance.random() / 10)
        driver.kill()
        kept = rows_in(finished(output.parent, path), path)
        begun = list(output.parent.glob(".out.tfspark/work-*/attempts/_part-*"))
        assert job(output, *flags, source=many_rows) == 0
        report = json.loads(next(output.glob("_tfspark_report_*")).read_text())
        assert rows_of(files_of(output)) == list(range(TOTAL))
        # Workers end after their driver, so they may have finished one more part.
        assert kept <= report["kept_rows"] < report["rows_in"] == TOTAL
        # One group, or the split of each slot, was begun and not finished.
        assert len(begun) <= SLOTS
        figure(
            f"{path}: {report['kept_rows']} of {TOTAL} rows kept, at most {TOTAL // CHUNKS} lost"
        )
        assert [one.name for one in output.parent.iterdir()] == ["out"]
