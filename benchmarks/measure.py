"""Measures the sides of a case in turns, A B C A B C, and stores every run. Driver.

Returns a dict for JSON. The warm runs come first: the fastest settings are searched for the sides
that need them, each side warms up, its output is checked, and then the measured rounds follow. In
the cold runs, each side runs alone in a new process, again in turns.

Spark ends Python workers that were idle for a minute. If the last run of a side is almost as long
ago, the side therefore runs for four seconds before the run that counts: the first runs of a new
worker are slower than the next ones. Slow sides take their turns after the others, so that rounds
stay short. tfspark's jobs run there too, so that a machine that becomes slower is noticed; these
runs do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from benchmarks.cases import FILES, ROW_GROUPS, Case
from benchmarks.client import Process, SideError
from benchmarks.machine import busy_share
from benchmarks.processes import Processes
from benchmarks.reference import check, rows_written
from benchmarks.roster import SideOf, start
from benchmarks.search import Choices, changed, fastest, settings_of
from benchmarks.task import Task

# A JVM compiles code that runs often, so each side runs this long before the measurement.
WARM_UP_SECONDS = 8.0
# After this many seconds without a run, Spark may have ended the workers of a side.
IDLE_SECONDS = 45.0
# Such a side runs for at least this many seconds before the run that counts.
REWARM_SECONDS = 4.0
# The search for settings uses the number of rows divided by this.
SEARCHED = 8


@dataclass(frozen=True)
class Settings:
    """The settings of a measurement.

    Attributes:
        data: Folder of `prepare`.
        repeat: Warm runs of each side; slow sides have half of them.
        cold: Cold runs of each side.
        warm_up: Seconds that each side runs before its measured runs, including the search.
        slots: Task slots.
        conf: Spark settings for every session, `key=value`.
        search: Whether settings that an earlier run found are searched again.
    """

    data: Path
    repeat: int = 5
    cold: int = 5
    warm_up: float = WARM_UP_SECONDS
    slots: int = 2
    conf: tuple[str, ...] = ()
    search: bool = False

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.data / "logs"

    def start(self, group: str) -> Process:
        """Start the process of a group."""
        return start(group, self.logs, self.slots, self.conf)


def measure_case(
    case: Case,
    sides: Sequence[SideOf],
    settings: Settings,
    processes: Processes,
    unable: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Measure all sides of a case.

    Args:
        case: The case.
        sides: Its sides.
        settings: How often and how long they run.
        processes: The processes of the groups.
        unable: The sides that cannot take part, with the reasons.
    """
    busy = busy_share()
    turns = Turns(case, sides, settings, processes)
    for name, reason in (unable or {}).items():
        turns.leave_out(name, reason)
    for side in sides:
        turns.search(side)
    quick = [side for side in sides if not side.slow]
    turns.measure(quick, settings.repeat)
    if slow := [side for side in sides if side.slow]:
        ours = [side for side in quick if side.group == "tfspark"]
        turns.measure(slow, -(-settings.repeat // 2), beside=ours)
    turns.measure_cold(sides)
    return {
        "title": case.title,
        "rows": case.rows,
        "compute_bound": case.compute_bound,
        "busy_before": busy,
        "sides": turns.results,
        "left_out": turns.left_out,
    }


class Turns:
    """The sides of one case, with their tasks and results. A peer that fails is left out.

    Attributes:
        results: Side → its measurements.
        left_out: Side → its title and why it was left out.
    """

    def __init__(
        self, case: Case, sides: Sequence[SideOf], settings: Settings, processes: Processes
    ) -> None:
        self._case, self._settings, self._processes = case, settings, processes
        self._tasks = {side.name: task_of(side, case, settings.data) for side in sides}
        self._spent = dict.fromkeys(self._tasks, 0.0)
        self._ended = dict.fromkeys(self._tasks, 0.0)
        self.results: dict[str, Any] = {
            side.name: {
                "title": side.title,
                "family": side.family,
                "rows": self._tasks[side.name].rows,
                **{kind: [] for kind in ("warm", "cold", "start")},
            }
            for side in sides
        }
        self.left_out: dict[str, Any] = {}

    def leave_out(self, name: str, reason: str) -> None:
        """Stop measuring a side, and keep the reason."""
        title = self.results.pop(name)["title"]
        self.left_out[name] = {"title": title, "reason": reason}
        print(f"  {self._case.name}: {name} is left out: {reason}", flush=True)

    def search(self, side: SideOf) -> None:
        """Find the settings of a side, if it needs a search."""
        if side.batch in self._tasks:
            found = {"batch": self._tasks[side.batch].batch}
            self._tasks[side.name] = changed(self._tasks[side.name], found)
        elif side.batch == "best":
            self._attempt(side, partial(self._search, side))

    def measure(self, sides: Sequence[SideOf], repeat: int, beside: Sequence[SideOf] = ()) -> None:
        """Warm up some sides, and measure them in turns with others that are warm."""
        for side in sides:
            self._attempt(side, partial(self._warm_up, side))
        for number in range(repeat):
            for side in (*beside, *sides):
                kind = "beside" if side in beside else "warm"
                self._attempt(side, partial(self._measure, side, number, kind))

    def measure_cold(self, sides: Sequence[SideOf]) -> None:
        """Measure the first run of each side in a new process."""
        for number in range(self._settings.cold):
            for side in sides:
                if side.cold:
                    self._attempt(side, partial(self._measure_cold, side, number))

    def _attempt(self, side: SideOf, step: Callable[[], None]) -> None:
        if side.name not in self.results:
            return
        try:
            step()
        except (SideError, AssertionError) as error:
            if not side.is_peer:
                raise
            self.leave_out(side.name, reason_of(error))

    def _search(self, side: SideOf) -> None:
        start = self._tasks[side.name]
        file = self._settings.data / "searches" / f"{self._case.name}-{start.rows}-{side.name}.json"
        if side.choices and file.is_file() and not self._settings.search:
            found = json.loads(file.read_text())
        else:
            found = self._searched(side)
            if side.choices:
                file.parent.mkdir(exist_ok=True)
                file.write_text(json.dumps(found, indent=1) + "\n")
        self._tasks[side.name] = changed(start, found["fastest"])
        self.results[side.name]["search"] = found["tried"]

    def _searched(self, side: SideOf) -> dict[str, Any]:
        case = self._case
        fewer = case.at(rows_searched(side, case))
        start = task_of(side, fewer, self._settings.data)
        self._run(side, start, "first run")

        def seconds_of(task: Task) -> float:
            what = " ".join(str(value) for value in settings_of(task).values())
            try:
                return self._run(side, task, what)
            except SideError as error:
                print(f"  {case.name}: {side.name} fails: {reason_of(error)}", flush=True)
                return inf

        choices: Choices = {"batch": case.batches, **side.choices}
        best, seconds = fastest(seconds_of, start, choices)
        tried = [
            {**settings_of(task), "seconds": one if one < inf else None}
            for task, one in seconds.items()
        ]
        return {"fastest": settings_of(best), "tried": tried}

    def _warm_up(self, side: SideOf) -> None:
        task, result = self._tasks[side.name], self.results[side.name]
        self._run(side, task, "first run")
        while self._spent[side.name] < self._settings.warm_up:
            self._run(side, task, "warm-up")
        result.update(facts(side, task))
        found = settings_of(task)
        result.update(batch=found.pop("batch"), settings=found)

    def _measure(self, side: SideOf, number: int, kind: str) -> None:
        task = self._tasks[side.name]
        if kind == "warm" and monotonic() - self._ended[side.name] > IDLE_SECONDS:
            spent = 0.0
            while spent < REWARM_SECONDS:
                spent += self._run(side, task, "warm-up")
        seconds = self._run(side, task, f"{kind} {number + 1}")
        self.results[side.name].setdefault(kind, []).append(seconds)

    def _measure_cold(self, side: SideOf, number: int) -> None:
        with self._settings.start(side.group) as process:
            seconds = process.run(side.name, self._tasks[side.name])
        self.results[side.name]["start"].append(process.start_seconds)
        self.results[side.name]["cold"].append(seconds)
        self._say(side, f"cold {number + 1}", seconds)

    def _run(self, side: SideOf, task: Task, what: str) -> float:
        seconds = self._processes.run(side.group, side.name, task)
        self._spent[side.name] += seconds
        self._ended[side.name] = monotonic()
        self._say(side, what, seconds)
        return seconds

    def _say(self, side: SideOf, what: str, seconds: float) -> None:
        print(f"  {self._case.name:10} {side.name:18} {what:24} {seconds:8.2f} s", flush=True)


def rows_of(side: SideOf, case: Case) -> int:
    """Return the number of rows that a side scores."""
    return min(side.rows or case.rows, case.rows)


def rows_searched(side: SideOf, case: Case) -> int:
    """Return the number of rows that a side scores while its settings are searched."""
    rows = rows_of(side, case)
    return max(rows // SEARCHED, min(rows, FILES * ROW_GROUPS))


def task_of(side: SideOf, case: Case, data: Path) -> Task:
    """Return the task of a side, with its first settings."""
    task = case.at(rows_of(side, case)).task(data, data / "out" / side.name)
    batch = {"own": None, "128": 128}.get(side.batch, case.batches[len(case.batches) // 2])
    return changed(task, {"batch": batch, **{name: one[0] for name, one in side.choices.items()}})


def facts(side: SideOf, task: Task) -> dict[str, Any]:
    """Check an output and return facts about it."""
    rows = rows_written(task)
    assert rows == task.rows, f"{side.name} wrote {rows} of {task.rows} rows"
    words: dict[str, Any] = {"title": side.title, "family": side.family, "rows": rows}
    if side.name != "pass_through":
        difference = check(task)
        words.update(difference=difference.largest, bit_equal=difference.bit_equal)
    return words


def reason_of(error: Exception) -> str:
    """Return the most informative line of an error, or of the log in it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines or [type(error).__name__])[-1][:300].removeprefix("-- ")


# The name of an exception, a message of OpenVINO or tf2onnx about operations, or a crash.
_TELLING = re.compile(
    r"^[\w.]*(Error|Exception)\b.*: |No conversion rule found|Unsupported ops"
    r"|^the process was killed"
)


def middle(values: Sequence[float]) -> float | None:
    """Return the median; `None` when there are no values."""
    return median(values) if values else None
