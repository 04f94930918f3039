"""Says how far the running job is, while it runs. Driver of a classic session.

On a terminal one line that rewrites itself; elsewhere an INFO record every 30 seconds.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from pyspark import SparkContext
from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 30.0


@contextmanager
def progress(spark: SparkSession, what: str) -> Iterator[None]:
    """Report the tasks of the session's active stages until the block ends."""
    terminal = sys.stderr.isatty()
    done = threading.Event()
    started = perf_counter()

    def report() -> None:
        while not done.wait(TERMINAL_SECONDS if terminal else LOG_SECONDS):
            line = f"{what}: {_tasks(spark.sparkContext)}, {perf_counter() - started:.0f} s"
            if terminal:
                sys.stderr.write(f"\r\033[K{line}")
                sys.stderr.flush()
            else:
                _log.info("%s", line)

    thread = threading.Thread(target=report, name="tfspark-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if terminal:
            sys.stderr.write("\r\033[K")


def _tasks(context: SparkContext) -> str:
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    there = [stage for stage in stages if stage is not None]
    finished = sum(stage.numCompletedTasks for stage in there)
    total = sum(stage.numTasks for stage in there)
    return f"{finished} of {total} tasks" if total else "planning"
