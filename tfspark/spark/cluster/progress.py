"""Shows the progress of the running job. Driver of a classic session.

On a terminal and in a notebook, it updates one line with a bar. Otherwise, it logs an INFO record
every 30 seconds. spark-submit connects a Python program to a pipe, so the terminal is opened as
`/dev/tty`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import perf_counter

from pyspark import SparkContext
from pyspark.sql import SparkSession

from tfspark.spark.cluster.notebook_line import notebook_line
from tfspark.spark.cluster.progress_line import State, at_end, bar_of, in_words
from tfspark.spark.cluster.tally import Tally

_log = logging.getLogger(__name__)

LINE_SECONDS = 0.5
LOG_SECONDS = 30.0
_WIDTH = 80
_CELL_WIDTH = 120  # a cell wraps longer lines


@contextmanager
def progress(spark: SparkSession, what: str) -> Iterator[Tally]:
    """Report the tasks of the session's active stages until the block ends.

    Yields:
        The tally. If the block counts rows with it, the rows are reported too.
    """
    tally = Tally()
    terminal = _open_terminal()
    notebook = None if terminal is not None else notebook_line()
    done = threading.Event()
    started = perf_counter()
    if notebook is not None:
        notebook(bar_of(what, State(0.0), _CELL_WIDTH))

    def state() -> State:
        return _state(spark.sparkContext, tally, perf_counter() - started)

    def report() -> None:
        is_line = terminal is not None or notebook is not None
        while not done.wait(LINE_SECONDS if is_line else LOG_SECONDS):
            if terminal is not None:
                _show(terminal, bar_of(what, state(), _width(terminal)))
            elif notebook is not None:
                notebook(bar_of(what, state(), _CELL_WIDTH))
            else:
                _log.info("%s", in_words(what, state()))

    thread = threading.Thread(target=report, name="tfspark-progress", daemon=True)
    thread.start()
    try:
        yield tally
    finally:
        done.set()
        thread.join()
        if terminal is not None:
            _show(terminal, "")
            os.close(terminal)
        if notebook is not None:
            # Only the tally: after an error the JVM may be dead.
            notebook(at_end(what, _rows(tally, perf_counter() - started)))


def _open_terminal() -> int | None:
    """Open the terminal of this job; `None` when there is none."""
    if not (sys.stderr.isatty() or "PYSPARK_GATEWAY_PORT" in os.environ):
        return None
    with suppress(OSError):  # a scheduler gives the process no terminal
        terminal = os.open("/dev/tty", os.O_WRONLY)
        if os.tcgetpgrp(terminal) == os.getpgrp():
            return terminal
        os.close(terminal)
    return None


def _show(terminal: int, line: str) -> None:
    with suppress(OSError):  # the user may close the terminal while the job runs
        os.write(terminal, f"\r\033[K{line}".encode())


def _width(terminal: int) -> int:
    with suppress(OSError):  # a pipe has no width
        return os.get_terminal_size(terminal).columns or _WIDTH
    return _WIDTH


def _state(context: SparkContext, tally: Tally, seconds: float) -> State:
    tracker = context.statusTracker()
    stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    there = [stage for stage in stages if stage is not None]
    return replace(
        _rows(tally, seconds),
        tasks_done=sum(stage.numCompletedTasks for stage in there),
        tasks=sum(stage.numTasks for stage in there),
    )


def _rows(tally: Tally, seconds: float) -> State:
    """Return the state without the tasks, which only the JVM knows."""
    return State(
        seconds,
        rows_done=tally.rows_done,
        rows=tally.total,
        kept=tally.kept,
        rejected=tally.rejected,
    )
