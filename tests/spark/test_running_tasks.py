"""A failed job ends when its other tasks have ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from pyspark.sql import SparkSession

from tfspark.spark.cluster.running_tasks import tasks_ended


def test_a_failed_block_waits_for_the_other_task(spark: SparkSession, tmp_path: Path) -> None:
    # Opening a pipe waits for the other side, so each side knows how far the other one is.
    started, failed, written = (tmp_path / name for name in ("started", "failed", "written"))
    os.mkfifo(started)
    os.mkfifo(failed)

    def task(number: int, _: Iterator[int]) -> Iterator[int]:
        if number == 0:
            started.read_text()
            raise ValueError("the first task fails")
        started.write_text("")
        failed.read_text()
        written.touch()
        return iter([number])

    rdd = spark.sparkContext.parallelize(range(2), 2).mapPartitionsWithIndex(task)
    let_go = Thread(target=failed.write_text, args=("",), daemon=True)
    at_failure = ExitStack()
    at_failure.callback(let_go.start)
    error = pytest.raises(Exception, match="the first task fails")
    with error, tasks_ended(spark), at_failure:
        rdd.collect()
    assert written.exists()
