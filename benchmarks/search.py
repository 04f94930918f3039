"""Finds the fastest settings of a side, one setting after the other. Driver.

Starts with the first value of each setting. The other values of a setting are tried with the
fastest values of the settings before it, so the number of tries is the sum of the numbers of
values, not their product. The tries of a side do not take turns with other sides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from benchmarks.task import Task

# Name of a setting → its values.
Choices = Mapping[str, Sequence[Any]]

# A try that takes more than this many times as long as the fastest is not repeated.
CLOSE = 1.3


def changed(task: Task, settings: Mapping[str, Any]) -> Task:
    """Return a task with other settings; `batch` is one of them."""
    others = {**dict(task.settings), **settings}
    batch = others.pop("batch", task.batch)
    return replace(task, batch=batch, settings=tuple(others.items()))


def settings_of(task: Task) -> dict[str, Any]:
    """Return the settings of a task, with `batch` as the first."""
    return {"batch": task.batch, **dict(task.settings)}


def fastest(
    run: Callable[[Task], float], start: Task, choices: Choices
) -> tuple[Task, dict[Task, float]]:
    """Return the fastest task, and the seconds of each task that was tried.

    Args:
        run: Runs a task; returns its seconds, infinity if it fails.
        start: The task with its first settings.
        choices: The values to try, in the order of the search.
    """
    best, seconds = start, {start: _least(run, start, inf)}
    for name, values in choices.items():
        for value in values:
            task = changed(best, {name: value})
            if task not in seconds:
                seconds[task] = _least(run, task, seconds[best])
                best = min(best, task, key=lambda one: seconds[one])
    return best, seconds


def _least(run: Callable[[Task], float], task: Task, best: float) -> float:
    first = run(task)
    return first if first == inf or first > CLOSE * best else min(first, run(task))
