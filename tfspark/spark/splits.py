"""Run a function once per split, as Spark tasks. Driver.

In come numbered splits and a function, out come its results: Spark schedules, retries and fails the
tasks, and nothing but the split's number and its result passes the JVM.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession


def run_splits(
    spark: SparkSession, splits: Sequence[Any], task: Callable[[int, Any], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Run `task(number, split)` for every split, one Spark task each.

    Args:
        spark: The session.
        splits: Picklable; they travel with the function.
        task: Returns a small dict that JSON holds.

    Returns:
        The results in the order of the splits, of the attempts that Spark counts as the tasks' own.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_numpy().tolist():
                result = json.dumps(task(number, splits[number]))
                yield pa.RecordBatch.from_pydict({"number": [number], "result": [result]})

    numbers = spark.range(0, len(splits), 1, len(splits))
    rows = numbers.mapInArrow(run, "number long, result string").collect()
    return [json.loads(row["result"]) for row in sorted(rows, key=lambda row: int(row["number"]))]


def task_slots(spark: SparkSession) -> int:
    """Return how many tasks run at the same time, as far as Spark knows now."""
    return max(int(spark.sparkContext.defaultParallelism), 1)
