"""The cost of a second light model over one scan: `python -m benchmarks.two_models`.

Three sides take turns in one session: each model alone, and both over one scan. Prints the median
seconds of each side and the ratio of both to the more expensive model. The session has the
settings that `tfspark.tune` applies; the result is discarded, so that writing costs nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame, SparkSession

from benchmarks.machine import machine
from tfspark import predict, tune
from tfspark.spark.cluster.session import session
from tfspark.testing import save_function, save_linear


def main() -> None:
    """Measure the sides and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    spark = session("benchmarks two_models", master="local[2]")
    with tempfile.TemporaryDirectory() as folder:
        table = measure(spark, Path(folder), chosen.rows, chosen.rounds)
    facts = machine()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['date']}, {chosen.rows} rows")
    print(table)


def measure(spark: SparkSession, folder: Path, rows: int, rounds: int) -> str:
    """Return the table of the sides."""
    models = {"linear": str(save_linear(folder / "linear" / "1")), "mean": _mean(folder)}
    tune(spark, models["linear"])
    columns = "id", "array(cast(id % 1000 AS float), cast(id % 7 AS float)) AS inputs"
    spark.range(rows).selectExpr(*columns).write.parquet(str(folder / "rows"))
    df = spark.read.parquet(str(folder / "rows"))
    sides: dict[str, str | dict[str, str]] = {**models, "both": models}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name in list(sides)[:: 1 if turn % 2 else -1]:
            spent = _seconds(predict(df, sides[name], keep=["id"]))
            if turn:  # the first one warms up
                seconds[name].append(spent)
    times = {name: median(found) for name, found in seconds.items()}
    ratio = times["both"] / max(times["linear"], times["mean"])
    head = f"| {' | '.join(times)} | both ÷ the more expensive |\n|---|---|---|---|\n"
    return f"{head}| {' | '.join(f'{one:.2f} s' for one in times.values())} | {ratio:.2f} |"


def _mean(folder: Path) -> str:
    import tensorflow as tf

    spec = tf.TensorSpec((None, 2), tf.float32, "inputs")
    mean = lambda inputs: {"outputs": tf.reduce_mean(inputs, axis=1)}  # noqa: E731
    return str(save_function(folder / "mean" / "1", mean, spec))


def _seconds(scored: DataFrame) -> float:
    start = time.perf_counter()
    scored.write.format("noop").mode("overwrite").save()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
