"""The small measurements: the cost of a start, a call, a task and a worker. Driver.

Takes the number of repetitions; returns title, unit, and side → values of each measurement, for
JSON. Sides take turns; a measurement that needs a fresh process starts a new one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks import bridge
from benchmarks.cases import BY_NAME
from benchmarks.client import ROOT
from benchmarks.measure import Settings
from benchmarks.roster import ONE_THREAD, start

DAEMON = "tfspark.spark.daemon"
# Enough rows to make the fixed cost of a query negligible.
SCALED = BY_NAME["cifar2"].at(72_000)


def first_result(settings: Settings) -> dict[str, Any]:
    """From the start of a process to its first result, on the linear model."""
    model = _model(settings, "linear")

    def process(engine: str) -> float:
        begin = time.perf_counter()
        _probe("first", engine, model)
        return time.perf_counter() - begin

    sides: Mapping[str, Callable[[], float]] = {
        "native": lambda: process("native"),
        "import tensorflow": lambda: process("signature"),
        "native, forked": lambda: _probe("forked", "native", model)["seconds"],
    }
    return _in_turns("first result in a fresh process", "s", sides, settings.repeat)


def engine_call(settings: Settings) -> dict[str, Any]:
    """One call with 8 rows of the linear model."""
    model = _model(settings, "linear")
    sides: Mapping[str, Callable[[], float]] = {
        "native": lambda: _probe("calls", "native", model)["microseconds"],
        "signature": lambda: _probe("calls", "signature", model)["microseconds"],
    }
    return _in_turns("a call, 8 rows, linear", "µs", sides, settings.repeat)


def worker_memory(settings: Settings) -> dict[str, Any]:
    """Resident memory of a worker after some scored partitions."""
    model = _model(settings, "linear")
    sides: Mapping[str, Callable[[], float]] = {
        engine: lambda engine=engine: _probe("memory", engine, model)["megabytes"]  # type: ignore[misc]
        for engine in ("native", "tensorflow")
    }
    return _in_turns("resident memory of a worker, linear", "MB", sides, settings.repeat)


def second_udf(settings: Settings, case: str = "linear") -> dict[str, Any]:
    """The first query of a second column function of the same model."""
    sides: dict[str, list[float]] = {}
    for side in ("tfspark", "predict_batch_udf"):
        found = _session_probe(settings, "second_udf", case, "--side", side)
        sides[side], sides[f"{side}, again"] = found["first"], found["again"]
    return {"title": f"second UDF on one model, first query, {case}", "unit": "s", "sides": sides}


def second_udf_large(settings: Settings) -> dict[str, Any]:
    """The same with a model of many operations."""
    return second_udf(settings, "mobilenet")


def task_cost(settings: Settings) -> dict[str, Any]:
    """The slot time of a warm task of one row."""
    sides = _session_probe(settings, "task_cost", "linear")
    return {"title": "a warm task of one row", "unit": "ms of a slot", "sides": sides}


def worker_start(settings: Settings) -> dict[str, Any]:
    """The slot time of a task that starts a worker, with Spark's daemon and with tfspark's."""
    fresh = "--conf=spark.python.worker.reuse=false"
    daemons = {"": (), ", tfspark's daemon": (f"--conf=spark.python.daemon.module={DAEMON}",)}
    sides: dict[str, list[float]] = {}
    for _ in range(settings.repeat):
        for name, conf in daemons.items():
            found = _session_probe(
                replace(settings, repeat=1), "worker_start", "linear", fresh, *conf
            )
            for side, values in found.items():
                sides.setdefault(f"{side}{name}", []).extend(values)
    return {"title": "a task in a new worker", "unit": "ms of a slot", "sides": sides}


def scaling(settings: Settings) -> dict[str, Any]:
    """The CNN job with 1, 2 and 4 task slots, and with as many processes without Spark."""
    case = SCALED
    with ExitStack() as stack:
        out = settings.data / "out" / "scaling"
        tasks = {"job": case.task(settings.data, out)}
        tasks["floor"] = replace(tasks["job"], batch=case.batches[0])
        sides: dict[str, Callable[[], float]] = {}
        for group, side, words in (("tfspark", "job", "local"), ("floor", "floor", "floor")):
            for slots in (1, 2, 4):
                process = stack.enter_context(start(group, settings.logs, slots, settings.conf))
                run = partial(process.run, side, tasks[side])
                run()
                sides[f"{words}[{slots}]"] = run
        return _in_turns("CNN job by task slots", "s", sides, settings.repeat)


def sql_operator(settings: Settings) -> dict[str, Any]:
    """The Scala bridge's operator and the linear model as an expression, in one JVM."""
    case = BY_NAME["linear"]
    jars = (f"--conf={key}={value}" for key, value in bridge.settings().items())
    task = str(case.task(settings.data, settings.data / "out" / "sql_operator"))
    words = ("--task", task, *jars)
    # The formula has no setting for threads, so the operator keeps its default.
    sides = _session_probe(settings, "sql_operator", case.name, *words, threads={})
    return {"title": f"linear in the JVM, {case.rows:,} rows", "unit": "s", "sides": sides}


MEASUREMENTS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "first_result": first_result,
    "engine_call": engine_call,
    "worker_memory": worker_memory,
    "second_udf": second_udf,
    "second_udf_large": second_udf_large,
    "task_cost": task_cost,
    "worker_start": worker_start,
    "scaling": scaling,
    "sql_operator": sql_operator,
}
# The cases whose models or rows these measurements need.
NEEDED = (BY_NAME["linear"], SCALED, BY_NAME["mobilenet"])


def _in_turns(
    title: str, unit: str, sides: Mapping[str, Callable[[], float]], repeat: int
) -> dict[str, Any]:
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeat):
        for name, measure in sides.items():
            values[name].append(measure())
            print(f"  {title:40} {name:20} {values[name][-1]:10.3f} {unit}", flush=True)
    return {"title": title, "unit": unit, "sides": values}


def _model(settings: Settings, case: str) -> str:
    return str(settings.data / "models" / case)


def _probe(what: str, engine: str, model: str) -> dict[str, Any]:
    # tfspark sets its own threads; TensorFlow's own calls get one thread.
    threads = ONE_THREAD if engine == "signature" else {}
    return _json_of([sys.executable, "-m", "benchmarks.probes", what, engine, model], threads)


def _session_probe(
    settings: Settings,
    what: str,
    case: str,
    *more: str,
    threads: Mapping[str, str] = ONE_THREAD,
) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.session_probes", what, *more]
    command += ["--case", case, "--model", _model(settings, case)]
    command += ["--repeat", str(settings.repeat), "--slots", str(settings.slots)]
    print(f"  {what} {case} {' '.join(more)}", flush=True)
    # Where tfspark and others share a session, all are given the same threads.
    return _json_of([*command, *(f"--conf={setting}" for setting in settings.conf)], threads)


def _json_of(command: list[str], threads: Mapping[str, str]) -> dict[str, Any]:
    """Run a command and return the JSON on its last line."""
    environment = {
        **os.environ,
        **threads,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
