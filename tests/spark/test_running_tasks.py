"""A failed job ends when its other tasks have ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tfspark.spark.cluster.running_tasks import tasks_ended


def test_a_failed_block_waits_for_the_other_task(spark: SparkSession, tmp_path: Path) -> None:
    started, written = tmp_path / "started", tmp_path / "written"

    def task(number: int, _: Iterator[int]) -> Iterator[int]:
        if number == 0:
            while not started.exists():
                time.sleep(0.01)
            raise ValueError("the first task fails")
        started.touch()
        time.sleep(0.5)  # the other task still works when the job has failed
        written.touch()
        return iter([number])

    rdd = spark.sparkContext.parallelize(range(2), 2).mapPartitionsWithIndex(task)
    with pytest.raises(Exception, match="the first task fails"), tasks_ended(spark):
        rdd.collect()
    assert written.exists()
