"""Runs every side on few rows and compares its output with TensorFlow's, without timing. Driver.

The continuous integration runs it. To finish within minutes, one process serves all cases of a
group, and two groups run at once, each with one task slot. Unless sides or cases are given, some
sides run only in the first case. The peers run in every case whose model they can load.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from benchmarks.cases import Case
from benchmarks.measure import Settings, facts, task_of
from benchmarks.preparation import unable
from benchmarks.roster import SideOf

# Sides that run in every case; the others run only in the first case.
EVERYWHERE = ("floor", "job", "predict", "jvm", "batch_udf")
# How many groups run at the same time.
AT_ONCE = 2
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
    cannot = {case.name: unable(case, sides, settings.data) for case in cases}
    wanted = [
        (side, case)
        for case in cases
        for side in sides
        if side.takes(case)
        and side.name not in cannot[case.name]
        and (everything or _needed(side, case, cases[0]))
    ]
    for name, reasons in cannot.items():
        for side_name, reason in reasons.items():
            print(f"  {name:10} {side_name:18} left out: {reason}", flush=True)
    groups = dict.fromkeys(side.group for side, _ in wanted)
    of_group = [[one for one in wanted if one[0].group == group] for group in groups]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_check, replace(settings, slots=1)), groups, of_group))
    print(f"{len(wanted)} outputs are right")


def _check(settings: Settings, group: str, wanted: Sequence[tuple[SideOf, Case]]) -> None:
    with settings.start(group) as process:
        for side, case in wanted:
            task = task_of(side, case, settings.data)
            process.run(side.name, task)
            print(f"  {case.name:10} {side.name:18} {_words(facts(side, task))}", flush=True)


def _needed(side: SideOf, case: Case, first: Case) -> bool:
    if case == first or side.cases or side.is_peer:
        return True
    return side.name in EVERYWHERE and not (case.name in SLOW_TO_LOAD and side.name == "batch_udf")


def _words(found: dict[str, object]) -> str:
    if "difference" not in found:
        return f"{found['rows']} rows"
    equal = "bit-equal" if found["bit_equal"] else f"largest difference {found['difference']:.1e}"
    return f"{found['rows']} rows, {equal}"
