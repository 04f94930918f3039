"""Says how far the running job is, while it runs. Driver of a classic session.

On a terminal one line that rewrites itself; elsewhere an INFO record every 30 seconds. spark-submit
puts a pipe between a Python program and its terminal, so there the terminal is opened by its name.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from time import perf_counter
from typing import TextIO

from pyspark import SparkContext
from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

TERMINAL_SECONDS = 0.5
LOG_SECONDS = 30.0


@contextmanager
def progress(spark: SparkSession, what: str) -> Iterator[None]:
    """Report the tasks of the session's active stages until the block ends."""
    done = threading.Event()
    started = perf_counter()

    def report(terminal: TextIO | None) -> None:
        while not done.wait(LOG_SECONDS if terminal is None else TERMINAL_SECONDS):
            line = f"{what}: {_tasks(spark.sparkContext)}, {perf_counter() - started:.0f} s"
            if terminal is None:
                _log.info("%s", line)
            else:
                terminal.write(f"\r\033[K{line}")
                terminal.flush()

    with _terminal() or nullcontext() as terminal:
        thread = threading.Thread(
            target=report, args=(terminal,), name="tfspark-progress", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            if terminal is not None:
                terminal.write("\r\033[K")


def _terminal() -> TextIO | None:
    """Open the terminal on which a person waits for this job; `None` when there is none."""
    under_spark_submit = "PYSPARK_GATEWAY_PORT" in os.environ
    try:
        if sys.stderr.isatty() or under_spark_submit:
            terminal = open("/dev/tty", "w")  # noqa: SIM115
            if os.tcgetpgrp(terminal.fileno()) == os.getpgrp():
                return terminal
            terminal.close()
    except OSError:  # no terminal, as under a scheduler
        return None
    return None


def _tasks(context: SparkContext) -> str:
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    there = [stage for stage in stages if stage is not None]
    finished = sum(stage.numCompletedTasks for stage in there)
    total = sum(stage.numTasks for stage in there)
    return f"{finished} of {total} tasks" if total else "planning"
