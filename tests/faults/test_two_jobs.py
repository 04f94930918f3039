"""Two jobs start on one output at once: one runs and the other exits 75, or both are exact.

Commits without Spark start many times, on real files in separate processes; real jobs start in
drivers that share a JVM, and in two drivers with a JVM each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, permutations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.faults import forked
from tests.faults.numbered_rows import NEW, OLD, table, write_old
from tests.faults.reader import files_of, rows_of
from tests.faults.stopping_store import StoppingStore
from tests.faults.test_commit_faults import OLD as OLD_ROWS
from tests.faults.test_commit_faults import Job, after, rows
from tfspark.errors import InvalidInputError, OutputBusyError
from tfspark.scoring.output import folder_rules
from tfspark.scoring.output.owner import Owner

pytestmark = pytest.mark.faults

DONE, EXISTS, AGAIN = 0, 73, 75
PAIRS = list(combinations_with_replacement(("error", "overwrite", "append"), 2))
STARTS = 60 if os.environ.get("ROUNDS") else 20
OTHER = [one + 500 for one in NEW]


class Barrier:
    """Lets processes continue at the same time, when the parent closes their pipe."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def wait(self) -> None:
        """Wait in a child."""
        os.close(self._write)
        os.read(self._read, 1)

    def open(self) -> None:
        """Let all children continue."""
        os.close(self._write)
        os.close(self._read)


def committed(job: Job) -> int:
    """Run a job without Spark; return its exit code."""
    try:
        return EXISTS if job.run(StoppingStore(), Owner.this_process()) == "exists" else DONE
    except OutputBusyError:
        return AGAIN


def possible(jobs: Sequence[Job], there: list[str] | None) -> Iterator[list[str] | None]:
    """Yield the possible rows after clean runs of these jobs, one after the other."""
    for order in permutations(jobs):
        seen = there
        for job in order:
            if job.mode == "error" and seen is not None:
                break
            seen = after(seen, job)
        else:
            yield seen


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "absent"])
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_commits_start_at_the_same_time(
    one: Any, other: Any, is_there: bool, figure: Any, tmp_path: Path
) -> None:
    ended: dict[tuple[int, ...], int] = {}
    there = OLD_ROWS if is_there else None
    for start in range(STARTS // 2):
        output = tmp_path / str(start) / "out"
        (output if is_there else output.parent).mkdir(parents=True)
        if is_there:
            (output / "old").write_text(*OLD_ROWS)
        jobs = [Job(output, "A", one), Job(output, "B", other)]
        barrier = Barrier()

        def run(job: Job, barrier: Barrier = barrier) -> int:
            barrier.wait()
            return committed(job)

        pids = [forked.start(lambda job=job: run(job)) for job in jobs]
        barrier.open()
        codes = [forked.end_of(pid) for pid in pids]
        assert set(codes) <= {DONE, EXISTS, AGAIN}
        ended[tuple(codes)] = ended.get(tuple(codes), 0) + 1
        done = [job for job, code in zip(jobs, codes, strict=True) if code == DONE]
        assert rows(output) in list(possible(done, there))
        for number, job in enumerate(jobs):
            if codes[number] == AGAIN:
                job.runs += 1
                codes[number] = committed(job)
        assert AGAIN not in codes
        done = [job for job, code in zip(jobs, codes, strict=True) if code == DONE]
        assert rows(output) in list(possible(done, there))
        assert [path.name for path in output.parent.iterdir()] == ["out"]
    figure(f"{one} + {other}, {'an output' if is_there else 'no output'}: exit codes {ended}")


@pytest.fixture(scope="module")
def other_numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another input than `numbered`."""
    folder = tmp_path_factory.mktemp("other")
    pq.write_table(table(OTHER), folder / "part-0.parquet")
    return folder


def exact(modes: Sequence[str], done: Sequence[int], is_there: bool) -> list[list[int]]:
    """Return the possible rows after clean runs of the finished jobs."""
    found = []
    for order in permutations(done):
        seen = OLD if is_there else []
        has_output = is_there
        for job in order:
            if modes[job] == "error" and has_output:
                break
            kept = seen if modes[job] == "append" else []
            seen, has_output = [*kept, *(NEW, OTHER)[job]], True
        else:
            found.append(sorted(seen))
    return found


@pytest.mark.parametrize("path", ["direct", "spark"])
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_jobs_start_at_the_same_time(
    one: str, other: str, path: str, job: Any, numbered: Path, other_numbers: Path, tmp_path: Path
) -> None:
    output, is_there = tmp_path / "out", "error" not in (one, other)
    if is_there:
        write_old(output)
    modes, sources, barrier = (one, other), (numbered, other_numbers), Barrier()

    def run(number: int) -> int:
        barrier.wait()
        return again(number)

    def again(number: int) -> int:
        return job(output, "--mode", modes[number], "--path", path, source=sources[number])

    pids = [forked.start(lambda number=number: run(number)) for number in (0, 1)]
    barrier.open()
    check_and_run_again([forked.end_of(pid) for pid in pids], modes, output, is_there, again)


def test_two_drivers_start_at_the_same_time(
    drive: Any, job: Any, numbered: Path, other_numbers: Path, tmp_path: Path
) -> None:
    output, modes = tmp_path / "place" / "out", ("append", "overwrite")
    sources = (numbered, other_numbers)
    write_old(output)
    drivers = [
        drive(output, "--mode", mode, source=source)
        for mode, source in zip(modes, sources, strict=True)
    ]
    for driver in drivers:
        driver.wait_until_planned()
    for driver in drivers:
        driver.go()
    check_and_run_again(
        [driver.end() for driver in drivers],
        modes,
        output,
        True,
        lambda number: job(output, "--mode", modes[number], source=sources[number]),
    )


def test_files_that_another_job_replaces_during_the_plan_are_compared_later(
    job: Any, numbered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, real, calls = tmp_path / "out", folder_rules.refuse_other_columns, []
    write_old(output)

    def once_gone(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 1:
            raise InvalidInputError("the input file part-old.parquet cannot be read")
        real(*arguments)

    monkeypatch.setattr(folder_rules, "refuse_other_columns", once_gone)
    assert job(output, "--mode", "append") == DONE
    assert len(calls) == 2
    assert rows_of(files_of(output)) == sorted([*OLD, *NEW])


def check_and_run_again(
    codes: list[int], modes: Sequence[str], output: Path, is_there: bool, again: Any
) -> None:
    """Check the output of two jobs; run jobs with exit code 75 again, and check once more."""
    assert set(codes) <= {DONE, EXISTS, AGAIN}
    for _ in range(2):
        done = [number for number, code in enumerate(codes) if code == DONE]
        assert rows_of(files_of(output)) in exact(modes, done, is_there)
        codes = [again(number) if code == AGAIN else code for number, code in enumerate(codes)]
    assert AGAIN not in codes
    assert not list(output.parent.glob(".out*"))
