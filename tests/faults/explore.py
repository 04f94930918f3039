"""Every interleaving of two jobs with one fault, by breadth-first search over the model's states.

Run as a program, it explores all cases and prints how many states they have: `make test-faults`.

The fault is a kill of one run, or a pause of one run that is longer than the lease of its lock,
before any step. A killed job is run again, at once or later; so is one that was told to try again,
once the other has ended. In every state, a reader reads the output.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, permutations
from typing import Generic, NamedTuple, TypeVar

from tests.faults.abstract_files import Disk, State
from tests.faults.commit_model import AGAIN, DONE, PARTS, Mode, Protocol, Run

Value = TypeVar("Value")
# A reader's view: no output, or the jobs whose rows are visible, with repetitions.
Rows = tuple[str, ...] | None
OLD = ("old",)
# A killed run is known to have ended by its process or its heartbeat.
_STATES = {"killed": "ended"}


class World(NamedTuple):
    """The disk, all runs so far, and whether the fault has not happened yet.

    Attributes:
        disk: Number of the disk's state in the case.
        runs: Numbers of the states of the runs.
        fault_to_come: Whether the fault has not happened yet.
    """

    disk: int
    runs: tuple[int, ...]
    fault_to_come: bool


class Numbers(Generic[Value]):
    """Gives each different value a number, so that worlds are compared quickly."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._numbers: dict[Value, int] = {}

    def of(self, value: Value) -> int:
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]


@dataclass
class Case:
    """Two jobs on one output.

    Attributes:
        modes: Job → mode.
        exchanges: Whether the file system exchanges two folders atomically.
        is_there: Whether an output exists before the jobs.
        without: Steps of the protocol that are left out.
        seen: The states visited.
        bad: What was wrong, one sentence per state.
    """

    modes: dict[str, Mode]
    exchanges: bool
    is_there: bool
    without: frozenset[str] = frozenset()
    seen: set[World] = field(default_factory=set)
    bad: list[str] = field(default_factory=list)
    _disks: Numbers[State] = field(default_factory=Numbers)
    _runs: Numbers[Run] = field(default_factory=Numbers)
    # A step depends on the run, the disk, and the other runs that are alive.
    _steps: dict[tuple[int, int, tuple[str, ...]], tuple[int, int]] = field(default_factory=dict)

    def __str__(self) -> str:
        how = "exchange" if self.exchanges else "two renames"
        first = "an output is there" if self.is_there else "no output"
        return f"{' + '.join(self.modes.values())}, {how}, {first}"

    def explore(self, *, first_bad: bool = False) -> None:
        """Visit every state that can be reached; collect the bad ones, or stop at the first."""
        readable = set(self._readable())
        runs = tuple(self._runs.of(Run(job, 1)) for job in self.modes)
        first = World(self._disks.of(self._first_disk()), runs, True)
        self.seen, waiting, shown = {first}, deque([first]), -1
        while waiting and not (first_bad and self.bad):
            world = waiting.popleft()
            if world.disk > shown:  # the disk of a later state has no smaller number
                shown = world.disk
                if (rows := self._rows(world)) not in readable:
                    self.bad.append(f"a reader sees {rows}: {self._told(world)}")
            following = list(self._next(world))
            if not following:
                self._check_end(world)
            for one in following:
                if one not in self.seen:
                    self.seen.add(one)
                    waiting.append(one)

    def _first_disk(self) -> State:
        return frozenset({("out", "old folder"), ("out/old", "old")} if self.is_there else set())

    def _next(self, world: World) -> Iterator[World]:
        runs = [self._runs.values[number] for number in world.runs]
        for position, run in enumerate(runs):
            if run.state == "live":
                yield self._stepped(world, position, runs)
                if world.fault_to_come:
                    for state in ("killed", "paused"):
                        faulty = self._with(world, position, run._replace(state=state))
                        yield World(world.disk, faulty, False)
            elif run.state == "paused":
                awake = self._with(world, position, run._replace(state="live"))
                yield World(world.disk, awake, world.fault_to_come)
            elif _runs_again(runs, run):
                again = self._runs.of(Run(run.job, run.number + 1))
                yield World(world.disk, (*world.runs, again), world.fault_to_come)

    def _stepped(self, world: World, position: int, runs: Sequence[Run]) -> World:
        key = (world.disk, world.runs[position], tuple(run.state for run in runs))
        if key not in self._steps:
            disk = Disk(self._disks.values[world.disk])
            states = {run.name: _STATES.get(run.state, run.state) for run in runs}
            protocol = Protocol(self.modes, self.exchanges, self.without, states.__getitem__)
            run = protocol.step(runs[position], disk)
            self._steps[key] = self._disks.of(disk.state), self._runs.of(run)
        changed, number = self._steps[key]
        after = (*world.runs[:position], number, *world.runs[position + 1 :])
        return World(changed, after, world.fault_to_come)

    def _with(self, world: World, position: int, run: Run) -> tuple[int, ...]:
        number = self._runs.of(run)
        return (*world.runs[:position], number, *world.runs[position + 1 :])

    def _check_end(self, world: World) -> None:
        """Compare the final state with clean runs one after the other."""
        runs = [self._runs.values[number] for number in world.runs]
        done = {run.job for run in runs if run.exit == DONE}
        if self._rows(world) not in set(self._ends(done)):
            self.bad.append(f"the end is {self._rows(world)}: {self._told(world)}")
        left = [path for path, _ in self._disks.values[world.disk] if path.startswith("W/")]
        if left:
            self.bad.append(f"left behind {left}: {self._told(world)}")

    def _ends(self, done: set[str]) -> Iterator[Rows]:
        """Possible outputs after clean runs of these jobs, one after the other."""
        for order in permutations(sorted(done)):
            rows: Rows = OLD if self.is_there else None
            for job in order:
                if self.modes[job] == "error" and rows is not None:
                    break
                kept = rows if rows and self.modes[job] == "append" else ()
                rows = tuple(sorted([*kept, *(f"{job}.{part}" for part in PARTS)]))
            else:
                yield rows

    def _readable(self) -> Iterator[Rows]:
        """Outputs that a reader may see: the old rows, the new ones, or whole appended files."""
        jobs = list(self.modes)
        for count in range(len(jobs) + 1):
            for done in permutations(jobs, count):
                for rows in self._ends(set(done)):
                    yield rows
                    for job in set(jobs) - set(done):
                        if rows is not None and self.modes[job] == "append":
                            for part in PARTS:
                                yield tuple(sorted([*rows, f"{job}.{part}"]))
        if not self.exchanges and "overwrite" in self.modes.values():
            yield None  # the gap between two renames

    def _rows(self, world: World) -> Rows:
        disk = self._disks.values[world.disk]
        if "out" not in dict(disk):
            return None
        return tuple(sorted(str(value) for path, value in disk if path.startswith("out/")))

    def _told(self, world: World) -> str:
        runs = [self._runs.values[number] for number in world.runs]
        told = (f"{r.name} {r.state} at {r.at or 'the end'} ({r.exit})" for r in runs)
        paths = sorted(path for path, _ in self._disks.values[world.disk])
        return f"{', '.join(told)}; {paths}"


def _runs_again(runs: Sequence[Run], run: Run) -> bool:
    """Whether the user repeats the command of a run: it was killed, or asked the user to."""
    if any(one.job == run.job and one.number > run.number for one in runs):
        return False
    if run.state == "killed":
        return True
    return run.exit == AGAIN and all(one.state in ("ended", "killed") for one in runs)


def all_cases() -> Iterator[Case]:
    """All pairs of modes, with and without an output and an atomic exchange."""
    for one, other in combinations_with_replacement(("append", "overwrite", "error"), 2):
        for exchanges in (False, True) if "overwrite" in (one, other) else (False,):
            for is_there in (True, False):
                yield Case({"A": one, "B": other}, exchanges, is_there)


def _explored(case: Case) -> tuple[int, list[str]]:
    """Explore a case; return the number of its states, and what was wrong."""
    case.explore()
    return len(case.seen), sorted(case.bad, key=len)


def main() -> int:
    """Explore all cases, one on each core, and print the numbers of states."""
    cases, states, bad = list(all_cases()), 0, 0
    with ProcessPoolExecutor() as pool:
        for case, (seen, wrong) in zip(cases, pool.map(_explored, cases), strict=True):
            states, bad = states + seen, bad + len(wrong)
            print(f"{case}: {seen} states, {len(wrong)} bad", flush=True)
            print(*wrong[:3], sep="\n", end="")
    print(f"{states} states, {bad} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
