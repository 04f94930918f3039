"""Rows per second of each engine, without Spark and files: `python -m benchmarks.engines`.

All engines run in this process with one thread, in turns whose order changes, on the same random
rows. Prints a table with the median, the ratio to native, and the largest difference of the
results relative to the largest result.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.cases import BY_NAME
from benchmarks.machine import machine
from tfspark import package
from tfspark.engine import Engine, EngineOptions, load_engine

ENGINES = ("native", "openvino")
CASES = {"cifar2": 128, "mobilenet": 16, "mlp": 10_000, "wide": 4096}


def main() -> None:
    """Measure the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("benchmarks/data"))
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one turn of one engine")
    chosen = parser.parse_args()
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}, one thread")
    print("| case | batch | native, rows/s | openvino, rows/s | ratio | largest difference |")
    print("|---|---|---|---|---|---|")
    for name in chosen.case or CASES:
        print(measure(chosen.data, name, CASES[name], chosen.rounds, chosen.seconds), flush=True)


def measure(data: Path, name: str, batch: int, rounds: int, seconds: float) -> str:
    """Return the row of one case."""
    model = package.load(data / "models" / name)
    spec = model.signature.inputs[0]
    shape = (batch, *BY_NAME[name].shape)
    fed = {spec.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}
    live = {
        engine: load_engine(model.path, model.tags, model.signature, EngineOptions(name=engine))
        for engine in ENGINES
    }
    difference = _difference(*(engine.run(fed) for engine in live.values()))
    rates: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for turn in range(rounds):
        for engine in ENGINES[:: 1 if turn % 2 else -1]:
            rates[engine].append(batch / _seconds(live[engine], fed, seconds))
    native, openvino = (median(rates[engine]) for engine in ENGINES)
    ratio = median(b / a for a, b in zip(*rates.values(), strict=True))
    rate = f"{native:,.0f} | {openvino:,.0f} | {ratio:.2f} ×"
    return f"| {name} | {batch} | {rate} | {difference:.1e} |"


def _seconds(engine: Engine, fed: Mapping[str, Any], seconds: float) -> float:
    """Return the seconds of one call, from all calls within a time."""
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        engine.run(fed)
        calls += 1
    return spent / calls


def _difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> float:
    pairs = [(wanted[name], found[name]) for name in wanted]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


if __name__ == "__main__":
    main()
