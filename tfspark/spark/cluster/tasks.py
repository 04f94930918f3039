"""Run a function once per split, as Spark tasks. Driver of a classic session.

Spark schedules, retries and fails the tasks; nothing but a split and its result passes the JVM. An
RDD does it, because a job of two tasks costs 60 ms that way, and twice as much as a DataFrame by
mapInArrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from pyspark.sql import SparkSession

Split = TypeVar("Split")
Result = TypeVar("Result")


def run_splits(
    spark: SparkSession, splits: Sequence[Split], task: Callable[[int, Split], Result]
) -> list[Result]:
    """Run `task(number, split)` for every split, one Spark task each.

    Args:
        spark: The session.
        splits: Picklable.
        task: Picklable, and so is what it returns.

    Returns:
        The results in the order of the splits, of the attempts that Spark counts as the tasks' own.
    """
    if not splits:
        return []
    numbered = spark.sparkContext.parallelize(list(enumerate(splits)), len(splits))
    return numbered.map(lambda split: task(*split)).collect()


def task_slots(spark: SparkSession) -> int:
    """Return how many tasks run at the same time, as far as Spark knows now."""
    return max(spark.sparkContext.defaultParallelism, 1)
