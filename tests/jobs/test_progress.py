"""Progress of a running job: a line on a terminal, records elsewhere."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tfspark.spark.cluster import progress as module
from tfspark.spark.cluster.notebook_line import notebook_line
from tfspark.spark.cluster.progress import progress
from tfspark.spark.cluster.tally import Tally
from tfspark.spark.cluster.tasks import run_splits


def test_terminal_shows_one_line_that_is_wiped(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, terminal = os.pipe()
    monkeypatch.setattr(module, "_open_terminal", lambda: terminal)
    monkeypatch.setattr(module, "LINE_SECONDS", 0.001)
    with os.fdopen(shown, "rb") as lines:
        with progress(spark, "scoring"):
            first = lines.read(len("\r\033[Kscoring: planning"))
        rest = lines.read()  # to the end: the terminal is closed
    assert first == b"\r\033[Kscoring: planning"
    assert rest.endswith(b"\r\033[K")


def test_elsewhere_there_are_records(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Event()
    records = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())
            told.set()

    handler = Handler()
    monkeypatch.setattr(module, "LOG_SECONDS", 0.001)
    monkeypatch.setattr(module._log, "level", logging.INFO)
    module._log.addHandler(handler)
    try:
        with progress(spark, "scoring"):
            assert told.wait(60)
    finally:
        module._log.removeHandler(handler)
    assert records[0].startswith("scoring: planning, ")


def kernel_with(display: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let this process seem to be the kernel of a notebook, and return its shell."""
    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(module, "_open_terminal", lambda: None)
    return shell


def test_a_notebook_shows_one_line_that_is_replaced(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, told = list[str](), Event()

    def update(data: dict[str, str], *, raw: bool) -> None:
        lines.append(data["text/plain"])
        told.set()

    def display(data: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        lines.append(data["text/plain"])
        return SimpleNamespace(update=update)

    kernel = kernel_with(display, monkeypatch)
    monkeypatch.setattr(module, "LINE_SECONDS", 0.001)
    with progress(spark, "scoring") as tally:
        assert told.wait(60)
        counted = tally.counting(spark, lambda _, rows: rows, lambda rows: (rows, 1))
        run_splits(spark, [3, 4], counted)
    assert lines[0] == "scoring: planning, 0 s"
    assert re.fullmatch(r"scoring: 7 rows, [\d,]+ rows/s, 2 rejected, \d+ s", lines[-1])
    kernel.kernel = None
    assert notebook_line() is None


@pytest.mark.parametrize("can_show", [True, False])
def test_the_progress_does_not_replace_the_error_of_a_job(
    can_show: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def display(*_: object, **__: object) -> Any:
        if not can_show:
            raise RuntimeError("the browser is gone")
        return SimpleNamespace(update=lambda *_, **__: None)

    kernel_with(display, monkeypatch)
    monkeypatch.setattr(module, "LINE_SECONDS", 600.0)
    without_jvm: Any = SimpleNamespace()
    with pytest.raises(ValueError, match="of the job"), progress(without_jvm, "scoring"):
        raise ValueError("of the job")


def test_no_terminal_under_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError("No such device or address: '/dev/tty'")

    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    monkeypatch.setattr(os, "open", refuse)
    assert module._open_terminal() is None


def test_a_tally_counts_the_rows_of_finished_tasks(spark: SparkSession) -> None:
    tally = Tally(total=10)
    counted = tally.counting(spark, lambda _, rows: rows, lambda rows: (rows, 1))
    assert run_splits(spark, [3, 4], counted) == [3, 4]
    assert (tally.rows_done, tally.rejected) == (7, 2)
