"""Progress of a running job: a line on a terminal, records elsewhere."""

from __future__ import annotations

import logging
import os
from threading import Event

import pytest
from pyspark.sql import SparkSession

from tfspark.spark.cluster import progress as module
from tfspark.spark.cluster.progress import progress
from tfspark.spark.cluster.tally import Tally
from tfspark.spark.cluster.tasks import run_splits


def test_terminal_shows_one_line_that_is_wiped(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, terminal = os.pipe()
    monkeypatch.setattr(module, "_open_terminal", lambda: terminal)
    monkeypatch.setattr(module, "TERMINAL_SECONDS", 0.001)
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
