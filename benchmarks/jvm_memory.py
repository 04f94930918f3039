"""Measures the memory of a large model: once in the JVM, or in a Python worker per task.

    python -m benchmarks.jvm_memory --mb 500 --tasks 4

Starts a cluster of one executor on this machine (`local-cluster`) for each side. The side scores
with that many concurrent tasks; its memory is read from /proc right after the second query: RSS,
PSS (a page that several processes share counts once) and the peak of RSS. The memory of the
executor is also read before the model is loaded. Prints machine, sides and ratios, and writes them
to `results/jvm_memory.json`. Needs the bridge's jar (`make bridge`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pyspark.sql import DataFrame, SparkSession

import tfspark
from benchmarks import bridge
from benchmarks.client import ROOT
from benchmarks.distribution import model_of
from benchmarks.machine import machine
from benchmarks.process_memory import children
from benchmarks.spark_sides import open_session
from tfspark.spark.cluster.distribution import Distribute

ROWS_PER_TASK = 500_000
SIDES: tuple[Literal["jvm", "native"], ...] = ("jvm", "native")
EXECUTOR = b"CoarseGrainedExecutorBackend"
# The names in smaps_rollup and status of /proc; their unit is kB.
READ = {"rss_mb": "Rss:", "pss_mb": "Pss:", "peak_mb": "VmHWM:"}

Memory = dict[str, float]


def memory_of(processes: Iterable[int]) -> Memory:
    """Return the total memory of some processes."""
    total = dict.fromkeys(READ, 0.0)
    for process in processes:
        folder = Path(f"/proc/{process}")
        lines = (folder / "smaps_rollup").read_text() + (folder / "status").read_text()
        words = {line.split()[0]: line.split() for line in lines.splitlines() if line}
        for name, word in READ.items():
            total[name] += int(words[word][1]) / 1000
    return {name: round(value, 1) for name, value in total.items()}


def measure(spark: SparkSession, side: str, base: Path, tasks: int, how: Distribute) -> Any:
    """Score with one side and return the memory of the executor and of its Python processes."""
    rows = spark.range(0, tasks * ROWS_PER_TASK, 1, tasks).selectExpr("array(float(id), 1f) AS x")
    _run(rows)
    executor = _executor(spark)
    before = memory_of([executor])
    options: dict[str, Any] = {} if side == "jvm" else {"distribute": how}
    for _ in range(2):
        _run(tfspark.predict(rows, base, engine=side, **options))  # type: ignore[arg-type]
    daemons = children(executor)
    workers = [worker for daemon in daemons for worker in children(daemon)]
    if len(workers) != (0 if side == "jvm" else tasks):
        raise RuntimeError(f"expected one Python worker per task, found {len(workers)}")
    found = {"executor before the model": before, "executor": memory_of([executor])}
    return found | (
        {"daemon": memory_of(daemons), "workers": memory_of(workers)} if workers else {}
    )


def _run(df: DataFrame) -> None:
    df.write.format("noop").mode("overwrite").save()


def _executor(spark: SparkSession) -> int:
    """Return the process of the only executor of an application."""
    application = spark.sparkContext.applicationId.encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if application in words and any(word.endswith(EXECUTOR) for word in words):
            found.append(int(folder.name))
    (executor,) = found
    return executor


def ratios(jvm: dict[str, Memory], python: dict[str, Memory]) -> dict[str, Memory]:
    """Return the memory of the executor with the model in its JVM, divided by that of Python."""
    parts = ("executor", "daemon", "workers")
    everything = {name: sum(python[part][name] for part in parts) for name in READ}
    added = {
        name: value - jvm["executor before the model"][name]
        for name, value in jvm["executor"].items()
    }
    return {
        "JVM executor / workers": _over(jvm["executor"], python["workers"]),
        "JVM executor / executor, daemon and workers": _over(jvm["executor"], everything),
        "what the model adds to the JVM / workers": _over(added, python["workers"]),
    }


def _over(one: Memory, other: Memory) -> Memory:
    return {name.removesuffix("_mb"): round(one[name] / other[name], 3) for name in READ}


def run_one(side: str, chosen: argparse.Namespace) -> Any:
    """Measure one side on a new cluster."""
    base = model_of(chosen.mb, chosen.data)
    with tempfile.TemporaryDirectory(dir=chosen.data) as cache:
        settings = {
            "spark.executorEnv.TFSPARK_CACHE_DIR": cache,
            "spark.executorEnv.PYTHONPATH": str(ROOT),
            "spark.executor.memory": f"{chosen.heap}m",
            "spark.tfspark.distribute": chosen.how,
        }
        if side == "jvm":
            settings |= bridge.settings()
        cluster = f"local-cluster[1,{chosen.tasks},{chosen.heap}]"
        with open_session(cluster, settings) as spark:
            return measure(spark, side, base, chosen.tasks, chosen.how)


def main() -> None:
    """Measure each side in a new process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=500, help="megabytes of weights (500)")
    parser.add_argument("--tasks", type=int, default=4, help="tasks at once (4)")
    parser.add_argument("--heap", type=int, default=1024, help="the executor's, in MB (1024)")
    parser.add_argument("--how", choices=("path", "broadcast"), default="path")
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--inside", choices=SIDES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(run_one(chosen.inside, chosen)))
        return
    model_of(chosen.mb, chosen.data)
    sides = {side: _inside(side) for side in SIDES}
    found = {
        "machine": machine(),
        "megabytes": chosen.mb,
        "tasks": chosen.tasks,
        "how": chosen.how,
        "executor_heap_mb": chosen.heap,
        "sides": sides,
        "ratios": ratios(sides["jvm"], sides["native"]),
    }
    text = json.dumps(found, indent=1)
    print(text)
    (chosen.results / "jvm_memory.json").write_text(text + "\n")


def _inside(side: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.jvm_memory", *sys.argv[1:], "--inside", side]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
