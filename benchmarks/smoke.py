"""Runs every side on few rows and compares its output with TensorFlow's, without timing. Driver.

For the continuous integration. To finish within minutes, one process serves all cases, and some
sides run only in the first case, unless sides or cases were given.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.cases import Case
from benchmarks.measure import Settings, facts, task_of
from benchmarks.roster import SideOf

# Sides that run in every case; the others run only in the first case.
EVERYWHERE = ("floor", "job", "predict", "jvm", "batch_udf")
# TensorFlow's Python needs longer to load this model than everything else here.
SLOW_TO_LOAD = ("mobilenet",)


def smoke(
    cases: Sequence[Case], sides: Sequence[SideOf], settings: Settings, *, everything: bool
) -> None:
    """Run and check.

    Raises:
        AssertionError: When an output is wrong.
        SideError: When a side fails.
    """
    checked = 0
    for group in dict.fromkeys(side.group for side in sides):
        with settings.start(group) as process:
            for case in cases:
                for side in sides:
                    if side.group != group or not side.takes(case):
                        continue
                    if not everything and not _needed(side, case, cases[0]):
                        continue
                    task = task_of(side, case, settings.data)
                    process.run(side.name, task)
                    print(
                        f"  {case.name:10} {side.name:14} {_words(facts(side, task))}", flush=True
                    )
                    checked += 1
    print(f"{checked} outputs are right")


def _needed(side: SideOf, case: Case, first: Case) -> bool:
    if case == first or side.cases:
        return True
    return side.name in EVERYWHERE and not (case.name in SLOW_TO_LOAD and side.name == "batch_udf")


def _words(found: dict[str, object]) -> str:
    if "difference" not in found:
        return f"{found['rows']} rows"
    equal = "bit-equal" if found["bit_equal"] else f"largest difference {found['difference']:.1e}"
    return f"{found['rows']} rows, {equal}"
