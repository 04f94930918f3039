"""Waits for the tasks that a failed job leaves running. Driver of a classic session.

If a task fails, Spark kills the other tasks of the job, but does not wait for their end. A task
that still writes would create its folder again after the folder was removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tfspark.spark.cluster.failures import is_disconnected

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_MOST_SECONDS = 5.0
_STEP_SECONDS = 0.02


@contextmanager
def tasks_ended(spark: SparkSession) -> Iterator[None]:
    """If the block fails, wait until no task runs in the session, but at most 5 seconds."""
    try:
        yield
    except Exception as error:
        end = time.monotonic() + _MOST_SECONDS
        while not is_disconnected(error) and _is_busy(spark) and time.monotonic() < end:
            time.sleep(_STEP_SECONDS)
        raise


def _is_busy(spark: SparkSession) -> bool:
    jvm_context: Any = spark.sparkContext._jsc
    executors = jvm_context.sc().statusTracker().getExecutorInfos()
    return any(executor.numRunningTasks() > 0 for executor in executors)
