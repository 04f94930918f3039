"""Measures two revisions of tfspark in turns: `python -m benchmarks.revisions OLD_CHECKOUT`.

Both revisions score the same files, in one run, each in its own processes: old new old new … A
machine that becomes slower during the run then slows both. Prints the medians of each side, their
ratio (new time / old time), and the spread of the old revision alone: the median of its even rounds
over the median of its odd rounds. A ratio inside this spread is noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from benchmarks.cases import BY_NAME, Case
from benchmarks.client import ROOT, Process
from benchmarks.measure import WARM_UP_SECONDS, task_of
from benchmarks.preparation import prepare
from benchmarks.roster import SIDES, SideOf, start

REVISIONS = ("old", "new")


def measure(
    cases: Sequence[Case], sides: Sequence[SideOf], roots: dict[str, Path], data: Path, rounds: int
) -> None:
    """Measure every case and side, and print one line for each."""
    prepare(cases, sides, data)
    with ExitStack() as stack:
        groups = {
            (revision, group): stack.enter_context(
                start(group, data / "logs" / revision, root=roots[revision])
            )
            for group in dict.fromkeys(side.group for side in sides)
            for revision in REVISIONS
        }
        for case in cases:
            for side in (side for side in sides if side.takes(case)):
                processes = {revision: groups[revision, side.group] for revision in REVISIONS}
                print(_line(case, side, _seconds(case, side, processes, data, rounds)), flush=True)


def _seconds(
    case: Case, side: SideOf, processes: dict[str, Process], data: Path, rounds: int
) -> dict[str, list[float]]:
    task = task_of(side, case, data)
    tasks = {name: replace(task, out=f"{task.out}-{name}") for name in REVISIONS}
    for name in REVISIONS:
        spent = 0.0
        while spent < WARM_UP_SECONDS:
            spent += processes[name].run(side.name, tasks[name])
    seconds: dict[str, list[float]] = {name: [] for name in REVISIONS}
    for number in range(rounds):
        # The order changes, so that neither revision always runs after the other.
        for name in REVISIONS if number % 2 else reversed(REVISIONS):
            seconds[name].append(processes[name].run(side.name, tasks[name]))
    return seconds


def _line(case: Case, side: SideOf, seconds: dict[str, list[float]]) -> str:
    old, new = (median(seconds[name]) for name in REVISIONS)
    noise = median(seconds["old"][::2]) / median(seconds["old"][1::2])
    return (
        f"{case.name:10} {side.name:14} old {old:7.3f} s  new {new:7.3f} s  "
        f"new/old {new / old:.3f}  old/old {noise:.3f}"
    )


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old", type=Path, help="checkout of the older revision")
    parser.add_argument("--case", action="append", choices=list(BY_NAME))
    parser.add_argument("--side", action="append", choices=[side.name for side in SIDES])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    chosen = parser.parse_args()
    wanted = chosen.side or ["job", "predict"]
    measure(
        [BY_NAME[name] for name in chosen.case or ("linear", "cifar2", "wide")],
        [side for side in SIDES if side.name in wanted],
        {"old": chosen.old.resolve(), "new": ROOT},
        chosen.data.resolve(),
        chosen.rounds,
    )


if __name__ == "__main__":
    main()
