"""mlflow: `mlflow.pyfunc.spark_udf` in a Spark session with the settings of all sides.

Runs in the environment of `mlflow.txt`, in two ways: `mlflow` is the TensorFlow flavour, which
contains the Keras model, as `mlflow.tensorflow.log_model` writes it; `mlflow_own` is a Python model
that calls the same SavedModel in the same way as the other peers. It is the fastest way we found.
`mlflow_model` writes both before the run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

from benchmarks.peers.mlflow_model import model_path
from benchmarks.serve import Side, serve
from benchmarks.spark_sides import ARROW_ROWS, open_session
from benchmarks.task import Task


@contextmanager
def open_mlflow(master: str, settings: Mapping[str, str]) -> Iterator[Mapping[str, Side]]:
    """Start a session."""
    with open_session(master, settings) as spark:

        @cache
        def made(task: Task, flavour: str) -> Any:
            import mlflow

            return mlflow.pyfunc.spark_udf(
                spark, model_path(task, flavour), result_type="float", env_manager="local"
            )

        def run(task: Task, flavour: str) -> None:
            from pyspark.sql import functions as sf

            spark.conf.set(ARROW_ROWS, task.batch or 10_000)
            score = made(replace(task.model_call, batch=None), flavour)
            rows = spark.read.parquet(task.data)
            given = sf.struct(*task.columns) if flavour == "mlflow_own" else sf.col(*task.columns)
            rows.select(score(given).alias("outputs")).write.mode("overwrite").parquet(task.out)

        yield {
            "mlflow": lambda task: run(task, "mlflow"),
            "mlflow_own": lambda task: run(task, "mlflow_own"),
        }


def main() -> None:
    """Serve mlflow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    settings = dict(setting.split("=", 1) for setting in chosen.conf)
    serve(lambda: open_mlflow(chosen.master, settings))


if __name__ == "__main__":
    main()
