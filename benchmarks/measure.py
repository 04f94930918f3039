"""Measures the sides of a case in turns, A B C A B C, and stores every run. Driver.

Returns a dict for JSON. The warm runs come first: each group has one process, the outputs are
checked, each side warms up, the best batch size is found for the sides that need one, and then the
measured rounds follow. In the cold runs, each side runs alone in a new process, again in turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import Case
from benchmarks.client import Process
from benchmarks.machine import busy_share
from benchmarks.reference import check, rows_written
from benchmarks.roster import SideOf, start
from benchmarks.task import Task

SWEEPS = 2
# A JVM compiles code that runs often, so each side runs this long before the measurement.
WARM_UP_SECONDS = 8.0


@dataclass(frozen=True)
class Settings:
    """The settings of a measurement.

    Attributes:
        data: Folder of `prepare`.
        repeat: Warm runs of each side.
        cold: Cold runs of each side.
        slots: Task slots.
        conf: Spark settings for every session, `key=value`.
    """

    data: Path
    repeat: int = 5
    cold: int = 5
    slots: int = 2
    conf: tuple[str, ...] = ()

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.data / "logs"

    def start(self, group: str) -> Process:
        """Start the process of a group."""
        return start(group, self.logs, self.slots, self.conf)


def measure_case(case: Case, sides: Sequence[SideOf], settings: Settings) -> dict[str, Any]:
    """Measure all sides of a case."""
    busy = busy_share()
    tasks = {side.name: task_of(side, case, settings.data) for side in sides}
    results: dict[str, Any] = {side.name: {"warm": [], "cold": [], "start": []} for side in sides}
    with ExitStack() as stack:
        groups = {
            name: stack.enter_context(settings.start(name))
            for name in dict.fromkeys(side.group for side in sides)
        }
        for side in sides:
            process = groups[side.group]
            print(f"  {case.name}: first run of {side.name}", flush=True)
            process.run(side.name, tasks[side.name])
            results[side.name].update(facts(side, tasks[side.name]))
        for side in sides:
            _warm_up(groups[side.group], side, tasks[side.name])
        _choose_batches(case, sides, groups, tasks, results)
        for number in range(settings.repeat):
            for side in sides:
                seconds = groups[side.group].run(side.name, tasks[side.name])
                results[side.name]["warm"].append(seconds)
                _say(case, side, f"warm {number + 1}", seconds)
    _measure_cold(case, sides, settings, tasks, results)
    return {
        "title": case.title,
        "rows": case.rows,
        "compute_bound": case.compute_bound,
        "busy_before": busy,
        "sides": results,
    }


def task_of(side: SideOf, case: Case, data: Path) -> Task:
    """Return the task of a side, with an initial batch size."""
    if side.rows:
        case = case.at(min(side.rows, case.rows))
    first = case.batches[len(case.batches) // 2]
    batch = {"own": None, "128": 128, "best": first}[side.batch]
    return replace(case.task(data, data / "out" / side.name), batch=batch)


def facts(side: SideOf, task: Task) -> dict[str, Any]:
    """Check an output and return facts about it."""
    rows = rows_written(task)
    assert rows == task.rows, f"{side.name} wrote {rows} of {task.rows} rows"
    words: dict[str, Any] = {"title": side.title, "family": side.family, "rows": rows}
    if side.name != "pass_through":
        difference = check(task)
        words.update(difference=difference.largest, bit_equal=difference.bit_equal)
    return words


def _warm_up(process: Process, side: SideOf, task: Task) -> None:
    spent = 0.0
    while spent < WARM_UP_SECONDS:
        spent += process.run(side.name, task)


def _choose_batches(
    case: Case,
    sides: Sequence[SideOf],
    groups: Mapping[str, Process],
    tasks: dict[str, Task],
    results: dict[str, Any],
) -> None:
    """Choose the fastest batch size of each side that needs one, from the best of two runs."""
    choosing = [side for side in sides if side.batch == "best"]
    seen: dict[str, dict[int, list[float]]] = {side.name: {} for side in choosing}
    for _ in range(SWEEPS):
        for batch in case.batches:
            for side in choosing:
                task = replace(tasks[side.name], batch=batch)
                seconds = groups[side.group].run(side.name, task)
                seen[side.name].setdefault(batch, []).append(seconds)
                _say(case, side, f"batch {batch}", seconds)
    for side in choosing:
        fastest = {batch: min(times) for batch, times in seen[side.name].items()}
        results[side.name]["sweep"] = fastest
        best = min(fastest, key=lambda batch: fastest[batch])
        tasks[side.name] = replace(tasks[side.name], batch=best)
    for side in sides:
        results[side.name]["batch"] = tasks[side.name].batch


def _measure_cold(
    case: Case,
    sides: Sequence[SideOf],
    settings: Settings,
    tasks: Mapping[str, Task],
    results: dict[str, Any],
) -> None:
    for number in range(settings.cold):
        for side in sides:
            if not side.cold:
                continue
            with settings.start(side.group) as process:
                results[side.name]["start"].append(process.start_seconds)
                seconds = process.run(side.name, tasks[side.name])
            results[side.name]["cold"].append(seconds)
            _say(case, side, f"cold {number + 1}", seconds)


def _say(case: Case, side: SideOf, what: str, seconds: float) -> None:
    print(f"  {case.name:10} {side.name:14} {what:12} {seconds:8.2f} s", flush=True)


def middle(values: Sequence[float]) -> float | None:
    """Return the median; `None` when there are no values."""
    return median(values) if values else None
