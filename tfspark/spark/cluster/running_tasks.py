"""Waits for the tasks that a failed job leaves running. Driver of a classic session.

If a task fails, Spark kills the other tasks of the job, but does not wait for their end. A task
that still writes would create its folder again after the folder was removed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError

from tfspark.spark.cluster.failures import is_disconnected

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

_MOST_SECONDS = 5.0
_STEP_SECONDS = 0.02


@contextmanager
def tasks_ended(spark: SparkSession) -> Iterator[None]:
    """If the block fails, wait until no task runs in the session, but at most 5 seconds."""
    try:
        yield
    except Exception as error:
        end = time.monotonic() + _MOST_SECONDS
        while not is_disconnected(error) and is_busy(spark) and time.monotonic() < end:
            time.sleep(_STEP_SECONDS)
        raise


def is_busy(spark: SparkSession) -> bool:
    """Return whether a task runs. The status tracker would be late by 100 ms or more."""
    context: Any = spark.sparkContext._jsc
    try:
        counts = context.sc().taskScheduler().runningTasksByExecutors().valuesIterator()
        while counts.hasNext():
            if counts.next() > 0:
                return True
    except Py4JError as error:  # another scheduler
        _log.debug("the scheduler does not count its tasks: %s", error)
    return False
