"""Small measurements inside one Spark session: `python -m benchmarks.session_probes WHAT …`.

Each prints one JSON line: side → values. Sides take turns within the session; all queries end in
Spark's `noop` sink, which reads every row and stores none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from benchmarks.cases import BY_NAME
from benchmarks.spark_sides import batch_udf, formula, open_session, predicted
from benchmarks.task import Task

PARTITIONS = 400
# Tasks that start workers; fewer if each imports TensorFlow.
NEW_WORKERS, SLOW_WORKERS = 40, 4
# New functions per repetition, because their cost is a small difference of two times.
UDFS = 3
# Turns before the first measured one; after them the JVM has compiled both sides.
WARM_UPS = 24


def task_cost(spark: SparkSession, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Time a warm task of one row: in the JVM alone, with an empty Python task, with a model."""
    rows = tiny(spark, PARTITIONS)
    queries = {
        "no Python": rows,
        "empty mapInArrow": empty(rows),
        "predict": tfspark.predict(rows, arguments.model, feed={"inputs": "features"}, keep=[]),
    }
    return in_turns({name: (query, PARTITIONS) for name, query in queries.items()}, arguments)


def worker_start(spark: SparkSession, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Time a task that starts a worker, in a session that does not reuse workers."""

    def scored(engine: Any, tasks: int) -> tuple[DataFrame, int]:
        feed, rows = {"inputs": "features"}, tiny(spark, tasks)
        return tfspark.predict(rows, arguments.model, feed=feed, keep=[], engine=engine), tasks

    queries = {
        "empty mapInArrow": (empty(tiny(spark, NEW_WORKERS)), NEW_WORKERS),
        "predict, native": scored("native", NEW_WORKERS),
        "predict, tensorflow": scored("tensorflow", SLOW_WORKERS),
    }
    return in_turns(queries, arguments)


def second_udf(spark: SparkSession, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Time the first query of a new column function, for a model that is already in use."""
    case = BY_NAME[arguments.case]
    task = Task(
        case=case.name,
        data="",
        out="",
        model=arguments.model,
        rows=0,
        columns=case.columns,
        shape=case.shape,
        width=case.width,
        batch=128,
    )
    given = sf.array_repeat(sf.lit(0.5).cast("float"), task.size)
    rows = spark.range(0, 64, 1, arguments.slots).select(given.alias("features"))
    makers: dict[str, Callable[[], Any]] = {
        "tfspark": lambda: tfspark.predict_udf(arguments.model, spark=spark),
        "predict_batch_udf": lambda: batch_udf(task),
    }
    make = makers[arguments.side]
    finish(rows.select(make()("features")))
    again: list[float] = []
    first: list[float] = []
    for _ in range(UDFS * arguments.repeat):
        start = time.perf_counter()
        query = rows.select(make()("features"))
        finish(query)
        first.append(time.perf_counter() - start)
        start = time.perf_counter()
        finish(query)
        again.append(time.perf_counter() - start)
    return {"first": first, "again": again}


def sql_operator(spark: SparkSession, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Time the JVM's SQL operator and the same formula in SQL, into Parquet and into nothing.

    The sides change places each turn, because in one JVM the garbage of a query slows down the next
    one.
    """
    task = Task.from_json(json.loads(arguments.task))
    rows = spark.read.parquet(task.data)
    queries = [
        ("operator", predicted(rows, task, "jvm")),
        ("formula", rows.select(formula(task))),
    ]

    def write(query: DataFrame) -> None:
        query.write.mode("overwrite").parquet(task.out)

    values: dict[str, list[float]] = {}
    for way, end in (("Parquet → Parquet", write), ("no sink", finish)):
        for turn in range(WARM_UPS + arguments.repeat):
            for name, query in queries if turn % 2 else reversed(queries):
                shutil.rmtree(task.out, ignore_errors=True)
                os.sync()
                start = time.perf_counter()
                end(query)
                seconds = time.perf_counter() - start
                if turn >= WARM_UPS:
                    values.setdefault(f"{name}, {way}", []).append(seconds)
    return values


def tiny(spark: SparkSession, partitions: int) -> DataFrame:
    """Return partitions of one row for the linear model."""
    number = sf.col("id").cast("float")
    rows = spark.range(0, partitions, 1, partitions)
    return rows.select(sf.array(number, number).alias("features"))


def empty(rows: DataFrame) -> DataFrame:
    """Return the rows through a Python task that does nothing."""
    return rows.mapInArrow(lambda batches: batches, rows.schema)


def in_turns(
    queries: dict[str, tuple[DataFrame, int]], arguments: argparse.Namespace
) -> dict[str, list[float]]:
    """Run queries in turns; return the milliseconds of slot time per task."""
    for query, _ in queries.values():
        finish(query)
    values: dict[str, list[float]] = {name: [] for name in queries}
    for _ in range(arguments.repeat):
        for name, (query, tasks) in queries.items():
            start = time.perf_counter()
            finish(query)
            seconds = time.perf_counter() - start
            values[name].append(seconds * arguments.slots / tasks * 1000)
    return values


def finish(query: DataFrame) -> None:
    """Run a query to its end."""
    query.write.format("noop").mode("overwrite").save()


PROBES = {
    "task_cost": task_cost,
    "worker_start": worker_start,
    "second_udf": second_udf,
    "sql_operator": sql_operator,
}


def main() -> None:
    """Run one probe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=PROBES)
    parser.add_argument("--model", required=True)
    parser.add_argument("--case", default="linear")
    parser.add_argument("--side", default="")
    parser.add_argument("--task", help="of benchmarks.task, as JSON")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--conf", action="append", default=[])
    chosen = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = dict(setting.split("=", 1) for setting in chosen.conf)
    with open_session(f"local[{chosen.slots}]", settings) as spark:
        print(json.dumps(PROBES[chosen.what](spark, chosen)), file=answers, flush=True)


if __name__ == "__main__":
    main()
