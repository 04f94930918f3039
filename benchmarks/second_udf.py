"""Measures a second column function of a model: `python -m benchmarks.second_udf --model DIR`.

In a warm session, each round makes a new function, applies it to a column, and runs the query. An
Arrow UDF without a model does the same, in turns with it; the difference is the cost of tfspark.
For each step, prints the median CPU time of the driver's Python, the median number of py4j calls,
and the mean CPU time of the JVM, which the kernel counts in steps of 10 ms. `--profile` prints the
Python functions that take most of the time of the first two steps.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Iterator
from statistics import mean, median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

import tfspark
from benchmarks.cases import BY_NAME
from benchmarks.folding import cpu_seconds
from benchmarks.machine import machine
from benchmarks.session_probes import finish
from benchmarks.spark_sides import open_session

WARM_UPS = 4
STEPS = ("make the function", "apply it to a column", "run the query", "run it again")


class Meter:
    """Counts the CPU time of Python and the JVM, and the calls from Python to the JVM."""

    def __init__(self, spark: SparkSession) -> None:
        gateway = spark.sparkContext._gateway
        client, self._jvm, self._calls = gateway._gateway_client, gateway.proc.pid, 0
        send = client.send_command

        def counted(*args: Any, **options: Any) -> Any:
            self._calls += 1
            return send(*args, **options)

        client.send_command = counted

    def read(self) -> tuple[float, float, int]:
        """Return milliseconds of Python and of the JVM, and the calls, since the start."""
        return time.process_time() * 1e3, cpu_seconds(self._jvm) * 1e3, self._calls


def main() -> None:
    """Measure both functions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--case", default="linear")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    with open_session("local[2]", {}) as spark:
        size = int(pc.product(pa.array(BY_NAME[chosen.case].shape)).as_py())
        given = sf.array_repeat(sf.lit(0.5).cast("float"), size).alias("features")
        rows = spark.range(0, 64, 1, 2).select(given)
        makers = {"tfspark": lambda: tfspark.predict_udf(chosen.model), "no model": without_model}
        if chosen.profile:
            profile(rows, makers["tfspark"])
            return
        facts = machine()
        print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}, {chosen.case}")
        print(
            "| step | function | Python, CPU ms | JVM, CPU ms | py4j calls |\n|---|---|---|---|---|"
        )
        measure(rows, makers, Meter(spark), chosen.rounds)


def measure(rows: Any, makers: dict[str, Callable[[], Any]], meter: Meter, rounds: int) -> None:
    """Print a row for each step and function."""
    found: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    for number in range(WARM_UPS + rounds):
        for side in list(makers)[:: 1 if number % 2 else -1]:
            before = meter.read()
            for step in steps(rows, makers[side]):
                after = meter.read()
                if number >= WARM_UPS:
                    spent = tuple(b - a for a, b in zip(before, after, strict=True))
                    found.setdefault((step, side), []).append(spent)  # type: ignore[arg-type]
                before = meter.read()
    for step in STEPS:
        for side in makers:
            python, jvm, calls = zip(*found[step, side], strict=True)
            figures = f"{median(python):.1f} | {mean(jvm):.0f} | {median(calls):.0f}"
            print(f"| {step} | {side} | {figures} |", flush=True)


def steps(rows: Any, make: Callable[[], Any]) -> Iterator[str]:
    """Make a function and use it; yield the name of each step when it is done."""
    function = make()
    yield STEPS[0]
    query = rows.select(function("features"))
    yield STEPS[1]
    finish(query)
    yield STEPS[2]
    finish(query)
    yield STEPS[3]


def without_model() -> Any:
    """Return a new Arrow UDF over batches that gives the first number of each row."""

    def first(batches: Any) -> Any:
        for batch in batches:
            yield pc.list_element(batch, 0)

    first.__annotations__ = {"batches": Iterator[pa.Array], "return": Iterator[pa.Array]}
    return sf.arrow_udf(first, "float")


def profile(rows: Any, make: Callable[[], Any]) -> None:
    """Print the Python functions that take most of the time to make and apply a function."""
    for _ in range(WARM_UPS):
        finish(rows.select(make()("features")))
    profiler = cProfile.Profile(time.process_time)
    for _ in range(WARM_UPS):
        profiler.enable()
        rows.select(make()("features"))
        profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(40)


if __name__ == "__main__":
    main()
