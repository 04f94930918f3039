"""The CPU time of statistics in one task: `python -m benchmarks.task_statistics --data DIR`.

One process with one thread scores half of the rows of a case, as a task of the direct path does in
a job of two tasks. The time inside the statistics is measured in the same run as the rest of the
task, so other programs on the machine slow down both. The effect of statistics on the caches of the
rest is not measured. The driver's part is to merge the results of two such tasks and to make the
facts of the report. Prints medians of all turns. There is no Spark.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow.parquet as pq
from pyarrow import fs

from benchmarks.cases import BY_NAME, Case
from benchmarks.client import ROOT
from benchmarks.machine import machine
from benchmarks.preparation import prepare
from tfspark import package, schema
from tfspark.columns import columns_of
from tfspark.data_files.footers import read_footers
from tfspark.data_files.listing import list_files
from tfspark.data_files.splits import cut, plan_splits
from tfspark.handle import ModelHandle
from tfspark.options import DEFAULTS
from tfspark.scoring.parts import PartScorer
from tfspark.sketches import RowSketch, Wanted, Watch
from tfspark.sketches.summary import summary_of
from tfspark.spark.worker.model_chain import BoundModel, ModelChain

CASES = ("linear", "mlp", "wide")


def main() -> None:
    """Measure the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=list(BY_NAME))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    chosen = parser.parse_args()
    data, cases = chosen.data.resolve(), [BY_NAME[name] for name in chosen.case or CASES]
    prepare(cases, (), data)
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}, one thread, CPU time")
    print("| case | task without, ms | statistics, ms | share | driver, ms | bytes of a task |")
    print("|---|---|---|---|---|---|")
    for case in cases:
        print(measure(case, data, chosen.rounds), flush=True)


def measure(case: Case, data: Path, rounds: int) -> str:
    """Return the row of a case."""
    out = data / "out" / "task-statistics"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    scorer, splits = scorer_of(case, data, out)
    spent: list[tuple[float, float, float]] = []
    size = 0
    with timed_watch() as inside:
        for turn in range(rounds + 1):
            inside.clear()
            seconds, part = _cpu(lambda: scorer(0, splits[0]))
            (out / part.name).unlink()
            results = [pickle.dumps(part.sketch, protocol=5)] * len(splits)
            size, own = len(results[0]), sum(inside)
            if turn:  # the first one loads the model
                spent.append((seconds - own, own, _cpu(partial(_facts, results))[0]))
    without, own, driver = (median(column) * 1e3 for column in zip(*spent, strict=True))
    share = median(one[1] / one[0] for one in spent)
    figures = f"{without:.0f} | {own:.1f} | {100 * share:.1f} % | {driver:.1f} | {size:,}"
    return f"| {case.name} | {figures} |"


@contextmanager
def timed_watch() -> Iterator[list[float]]:
    """Yield a list that gets the CPU seconds of each step of the statistics."""
    seconds: list[float] = []
    steps = {name: getattr(Watch, name) for name in ("__post_init__", "_read", "_add", "end")}

    def timed(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*values: Any) -> Any:
            start = time.thread_time()
            try:
                return step(*values)
            finally:
                seconds.append(time.thread_time() - start)

        return run

    for name, step in steps.items():
        setattr(Watch, name, timed(step))
    try:
        yield seconds
    finally:
        for name, step in steps.items():
            setattr(Watch, name, step)


def scorer_of(case: Case, data: Path, out: Path) -> tuple[PartScorer, list[Any]]:
    """Return the task of a case, and its splits for two slots."""
    task, model = case.task(data, out), package.load(data / "models" / case.name)
    local = fs.LocalFileSystem()
    files = list_files(local, task.data)
    footers = list(read_footers(local, files, "parquet"))
    columns = pq.read_schema(files[0].path)
    feed = {"inputs": list(task.columns) if task.stacked else task.columns[0]}
    binding = schema.bind(model.signature, columns_of(columns), feed=feed)
    chain = ModelChain((BoundModel(ModelHandle.of(model), binding, DEFAULTS),))
    scorer = PartScorer(
        chain=chain,
        keep=(),
        root=Path(task.data).as_uri(),
        format="parquet",
        schema=columns,
        allow_missing=False,
        staged=out.as_uri(),
        wanted=Wanted(
            {name: name for name in task.columns}, ("outputs",), "", ("outputs",), 5
        ).described(),
    )
    return scorer, plan_splits(cut(files, footers, "parquet"), 2)


def _cpu(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def _facts(results: list[bytes]) -> dict[str, Any]:
    total = RowSketch()
    for one in results:
        total.merge(pickle.loads(one))
    return summary_of(total)


if __name__ == "__main__":
    main()
