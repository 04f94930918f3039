"""Compares models with variables and their folded forms: `python -m benchmarks.folding`.

Folds the models of `prepare` and times both forms with the native engine, in turns. Each form has
its own process with one thread. A figure is the CPU time of a call, so that other programs on the
machine matter less. With `--jvm`, the Scala bridge scores both forms in one session, and a figure
is the CPU time of that JVM. Prints tables with medians.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.cases import BY_NAME
from benchmarks.client import ROOT
from benchmarks.machine import machine
from tfspark import package
from tfspark.engine import Engine, EngineOptions, load_engine
from tfspark.tensors import ByteStrings

CASES = {"cifar2": 128, "mobilenet": 16, "lstm": 1024, "mlp": 10_000, "text": 256}
JVM_ROWS = {"cifar2": 4096, "mobilenet": 320}
WORDS, VOCABULARY = 200, 9998  # as in `prepare`
FORMS = ("unfolded", "folded")


def main() -> None:
    """Measure the cases and print the table, or serve as the process of one form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("benchmarks/data"))
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of CPU, in one turn")
    parser.add_argument("--jvm", action="store_true", help="score in the JVM instead")
    parser.add_argument("--turn", type=Path, metavar="MODEL", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    names = chosen.case or list(JVM_ROWS if chosen.jvm else CASES)
    if chosen.turn:
        _answer(chosen.turn, names[0], chosen.seconds)
        return
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        models = {name: _forms(chosen.data, name, Path(folder)) for name in names}
        measure = _in_jvm if chosen.jvm else _in_processes
        measure(models, chosen.rounds, chosen.seconds)


def _forms(data: Path, name: str, folder: Path) -> dict[str, Path]:
    """Fold a model; return the export dirs of both forms."""
    from models.folding import fold

    source = data / "models" / name / "1"
    fold(source, folder / name / "1")
    return dict(zip(FORMS, (source, folder / name / "1"), strict=True))


def _in_processes(models: Mapping[str, dict[str, Path]], rounds: int, seconds: float) -> None:
    """Print the table of the native engine."""
    print("| case | batch | unfolded, CPU ms | folded, CPU ms | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    ratios = []
    for name, forms in models.items():
        with ExitStack() as stack:
            turns = {
                form: stack.enter_context(_process(path, name, seconds))
                for form, path in forms.items()
            }
            unfolded, folded, ratio = _in_turns(turns, rounds)
        ratios.append(ratio)
        times = f"{unfolded * 1e3:.2f} | {folded * 1e3:.2f} | {ratio:.2f} ×"
        print(f"| {name} | {CASES[name]} | {times} | {_difference(name, forms)} |", flush=True)
    print(f"\nGeometric mean of the ratios: {geometric_mean(ratios):.3f}")


@contextmanager
def _process(model: Path, name: str, seconds: float) -> Iterator[Callable[[], float]]:
    """Start a process that opens a model; yield a function that makes it run one turn."""
    command = [sys.executable, "-m", "benchmarks.folding", "--turn", str(model)]
    command += ["--case", name, "--seconds", str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def turn() -> float:
            asked.write("\n")
            asked.flush()
            return float(answers.readline())

        yield turn


def _in_turns(turns: Mapping[str, Callable[[], float]], rounds: int) -> tuple[float, float, float]:
    """Return the median of each form, and the median of the ratios of the rounds."""
    spent: dict[str, list[float]] = {form: [] for form in FORMS}
    for number in range(rounds):
        for form in FORMS[:: 1 if number % 2 else -1]:
            spent[form].append(turns[form]())
    ratio = median(a / b for a, b in zip(*spent.values(), strict=True))
    return median(spent["unfolded"]), median(spent["folded"]), ratio


def _answer(model: Path, name: str, seconds: float) -> None:
    """For each line of the input, print the CPU seconds of one call: the mean over a fixed time."""
    engine, fed = _open(model), _rows(model, name)
    for _ in range(2):
        engine.run(fed)
    for _ in sys.stdin:
        calls, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds or not calls:
            engine.run(fed)
            calls += 1
        print(spent / calls, flush=True)


def _open(model: Path) -> Engine:
    found = package.load(model)
    return load_engine(found.path, found.tags, found.signature, EngineOptions(name="native"))


def _rows(model: Path, name: str) -> dict[str, Any]:
    """Return one batch of random rows."""
    [spec] = package.load(model).signature.inputs
    random = np.random.default_rng(0)
    batch = CASES[name]
    if BY_NAME[name].strings:
        picked = random.integers(0, VOCABULARY, (batch, WORDS)).tolist()
        texts = [" ".join(f"word{word}" for word in line) for line in picked]
        return {spec.name: ByteStrings(pa.array(texts, pa.large_binary()), (batch,))}
    rows = random.normal(size=(batch, *BY_NAME[name].shape)).astype(np.float32)
    return {spec.name: rows}


def _difference(name: str, forms: Mapping[str, Path]) -> str:
    """Return the largest difference, relative to the largest output of the unfolded model."""
    wanted, found = (_open(path).run(_rows(path, name)) for path in forms.values())
    pairs: list[tuple[Any, Any]] = [(wanted[output], found[output]) for output in wanted]
    if all(a.tobytes() == b.tobytes() for a, b in pairs):
        return "bit-equal"
    return f"{max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs):.1e}"


def _in_jvm(models: Mapping[str, dict[str, Path]], rounds: int, _: float) -> None:
    """Print the table of the JVM engine."""
    from pyspark.sql import functions as sf

    import tfspark
    from benchmarks import bridge
    from benchmarks.spark_sides import open_session

    print("| case | rows | unfolded, CPU s | folded, CPU s | ratio |\n|---|---|---|---|---|")
    with open_session("local[1]", bridge.settings()) as spark:
        process = spark.sparkContext._gateway.proc.pid
        for name, forms in models.items():
            value = sf.lit(0.5).cast("float")
            case, rows = BY_NAME[name], JVM_ROWS[name]
            given = sf.array_repeat(value, int(np.prod(case.shape))).alias(case.columns[0])
            df = spark.range(0, rows, 1, 1).select(given)
            scored = {
                form: tfspark.predict(df, str(path), engine="jvm", keep=[], **_feed(path, case))
                for form, path in forms.items()
            }

            turns = {form: partial(_spent, process, query) for form, query in scored.items()}
            _in_turns(turns, 3)  # warms up
            unfolded, folded, ratio = _in_turns(turns, rounds)
            times = f"{unfolded:.2f} | {folded:.2f} | {ratio:.2f} ×"
            print(f"| {name} | {rows} | {times} |", flush=True)


def _spent(process: int, query: Any) -> float:
    """Run a query; return the CPU seconds that the JVM used."""
    start = cpu_seconds(process)
    query.write.format("noop").mode("overwrite").save()
    return cpu_seconds(process) - start


def _feed(model: Path, case: Any) -> dict[str, Any]:
    [spec] = package.load(model).signature.inputs
    return {"feed": {spec.name: case.columns[0]}}


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process and all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
