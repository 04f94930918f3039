"""The cost of the statistics of a job: `python -m benchmarks.job_statistics --case linear`.

Jobs with and without statistics take turns in one warm session. For each part of the system, prints
the median CPU time of a job without statistics, and the median of what statistics add to it in the
same turn: in the driver's Python, in the Python workers and in the JVM, without and with its
compiler. The work of the compiler varies from job to job, and takes more time than everything else
in the JVM, so its difference has a meaning only after hundreds of rounds. `seconds` is the elapsed
time. Both kinds of jobs also make the JSON text and the page of the report.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from pyspark.sql import SparkSession

from benchmarks.cases import BY_NAME, Case
from benchmarks.client import ROOT
from benchmarks.machine import machine
from benchmarks.preparation import prepare
from benchmarks.spark_sides import job_of, open_session, run_job
from tfspark.scoring.job import ReportOptions
from tfspark.scoring.page import page_of

CASES = ("linear", "mlp", "wide")
PARTS = ("driver", "workers", "JVM", "its compiler")
WARM_UPS = 6
_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(BY_NAME))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    chosen = parser.parse_args()
    cases = [BY_NAME[name] for name in chosen.case or CASES]
    data = chosen.data.resolve()
    prepare(cases, (), data)
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}")
    print(f"| case | {' | '.join(f'{part}, CPU ms' for part in PARTS)} | all, CPU | seconds |")
    print(f"|{'---|' * (len(PARTS) + 3)}")
    with open_session("local[2]", {}) as spark:
        for case in cases:
            print(measure(spark, case, data, chosen.rounds), flush=True)


def measure(spark: SparkSession, case: Case, data: Path, rounds: int) -> str:
    """Return the row of a case."""
    found: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
    for turn in range(WARM_UPS + rounds):
        for statistics in (False, True) if turn % 2 else (True, False):
            spent = _spent(spark, case, data, statistics=statistics)
            if turn >= WARM_UPS:
                found[statistics].append(spent)
    cells = []
    for at in range(len(PARTS) + 2):
        without = [one[at] for one in found[False]]
        pairs = zip(without, [one[at] for one in found[True]], strict=True)
        more = median(b - a for a, b in pairs)
        cells.append((median(without), more))
    shown = [f"{before:.0f} + {more:.1f}" for before, more in cells[: len(PARTS)]]
    ratios = [f"{1 + more / before:.3f} ×" for before, more in cells[len(PARTS) :]]
    return f"| {case.name} | {' | '.join([*shown, *ratios])} |"


def _spent(spark: SparkSession, case: Case, data: Path, *, statistics: bool) -> tuple[float, ...]:
    """Run a job; return its CPU milliseconds by part and in all, and its seconds."""
    task = case.task(data, data / "out" / "statistics")
    shutil.rmtree(task.out, ignore_errors=True)
    job = replace(job_of(task), reported=ReportOptions(statistics=statistics))
    before, start = _cpu(spark), time.perf_counter()
    report = run_job(spark, job)
    report.to_json()
    page_of(report.document())
    seconds = time.perf_counter() - start
    spent = [(b - a) * 1e3 for a, b in zip(before, _cpu(spark), strict=True)]
    return (*spent, sum(spent), seconds)


def _cpu(spark: SparkSession) -> tuple[float, ...]:
    """Return the CPU seconds of the driver, of its workers, of the JVM and of its compiler."""
    jvm = spark.sparkContext._gateway.proc.pid
    parents, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # the process has ended
            continue
        process = int(stat.parent.name)
        parents[process] = int(fields[1])
        # With the children that have ended.
        spent[process] = sum(map(int, fields[11:15])) / _TICKS
    workers = sum(seconds for process, seconds in spent.items() if jvm in _above(process, parents))
    return time.process_time(), workers, *_of_threads(jvm)


def _of_threads(jvm: int) -> tuple[float, float]:
    """Return the CPU seconds of the threads of a JVM: all others, and those of its compiler."""
    others = compiler = 0.0
    for thread in Path(f"/proc/{jvm}/task").iterdir():
        try:
            name = (thread / "comm").read_text()
            seconds = int((thread / "schedstat").read_text().split()[0]) / 1e9
        except OSError:  # the thread has ended
            continue
        if " Compiler" in name:
            compiler += seconds
        else:
            others += seconds
    return others, compiler


def _above(process: int, parents: dict[int, int]) -> set[int]:
    """Return the parents of a process, and their parents."""
    found: set[int] = set()
    while (process := parents.get(process, 0)) and process not in found:
        found.add(process)
    return found


if __name__ == "__main__":
    main()
