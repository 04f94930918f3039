"""The driver of a real job is killed before any operation of its commit; the job is run again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults import forked
from tests.faults.numbered_rows import NEW, OLD, write_old
from tests.faults.reader import Files, Reader, files_of, rows_of
from tests.faults.stopping_store import KillingStore

pytestmark = pytest.mark.faults

# Every operation costs two runs of a job, so each case tests only some, with a different start.
STEP = 1 if os.environ.get("ROUNDS") else 8
MOST = 100

CASES = [
    (mode, is_there, flags)
    for flags in ("--path direct", "--path spark", "--path spark --chunks 2")
    for mode, is_there in (("error", False), ("overwrite", True), ("append", True))
]


def is_readable(seen: Files, before: Files, after: Files, mode: str) -> bool:
    """Whether a reader may see these rows: the old or new ones, or whole new files in append."""
    if seen in (before, after):
        return True
    return mode == "append" and None not in (seen, before, after) and before <= seen <= after


def killed_and_run_again(job: Any, output: Path, mode: str, flags: str, allowed: int) -> int:
    """Kill a job before an operation, run it again, and check; return the number of reads.

    Returns:
        0 when the job had fewer operations.
    """
    words = ("--mode", mode, *flags.split())
    before = files_of(output)
    with Reader(output) as reader:
        ended = forked.run(lambda: job(output, *words, store=KillingStore(allowed)))
        assert ended in (0, -signal.SIGKILL)
        if ended:
            assert job(output, *words) == 0
    after = files_of(output)
    assert rows_of(after) == sorted([*NEW, *(OLD if mode == "append" else [])])
    assert all(is_readable(seen, before, after, mode) for seen in reader.seen)
    assert [path.name for path in output.parent.iterdir()] == ["out"]
    return reader.looks if ended else 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("first", "mode", "is_there", "flags"),
    [(number % STEP, *case) for number, case in enumerate(CASES)],
)
def test_killed_before_any_operation_and_run_again(
    first: int, mode: str, is_there: bool, flags: str, job: Any, figure: Any, tmp_path: Path
) -> None:
    kills = looks = 0
    for allowed in range(first, MOST, STEP):
        output = tmp_path / str(allowed) / "out"
        (write_old(output) if is_there else output.parent.mkdir())
        looked = killed_and_run_again(job, output, mode, flags, allowed)
        if not looked:
            figure(f"{mode} {flags}: killed {kills} times, {looks} looks of a reader")
            assert allowed > 20
            return
        kills, looks = kills + 1, looks + looked
    raise AssertionError("the job does not end")
