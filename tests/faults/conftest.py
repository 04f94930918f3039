"""An input of a few files, an old output, and real jobs on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs import batch_score
from tests.faults.driver import Driver
from tests.faults.numbered_rows import FILES, MANY_FILES, NEW, ROWS, TOTAL, table
from tests.faults.stopping_store import StoppingStore
from tfspark.scoring.output import folder
from tfspark.scoring.run_job import run_job

Job = Callable[..., int]
Figure = Callable[[str], None]
_FIGURE = "figure"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of the matrix, which the reports of all processes carry."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    figures = [
        str(text) for report in reports for name, text in report.user_properties if name == _FIGURE
    ]
    if figures:
        terminalreporter.section("figures")
    for figure in figures:
        terminalreporter.write_line(figure)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Return a function that adds a line to the summary of the run."""
    return partial(record_property, _FIGURE)


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files with the rows `NEW`."""
    folder = tmp_path_factory.mktemp("numbered")
    for file in range(FILES):
        ids = NEW[file * ROWS : (file + 1) * ROWS]
        pq.write_table(table(ids), folder / f"part-{file}.parquet")
    return folder


@pytest.fixture(scope="session")
def many_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `TOTAL` rows; with one model call for each row, they take seconds."""
    folder, rows = tmp_path_factory.mktemp("many"), TOTAL // MANY_FILES
    for file in range(MANY_FILES):
        ids = list(range(file * rows, (file + 1) * rows))
        pq.write_table(table(ids), folder / f"part-{file:02d}.parquet")
    return folder


@pytest.fixture
def job(spark: SparkSession, linear: Path, numbered: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Return a function that runs a real job and returns its exit code; `store` is its store.

    The job runs in this process. A test that kills it calls `forked.run`.
    """

    def run(
        output: Path,
        *flags: object,
        model: Path = linear,
        source: Path = numbered,
        store: StoppingStore | None = None,
    ) -> int:
        words = ("--model", model, "--input", source, "--output", output, *flags)
        args = batch_score.parse_args([str(word) for word in words])
        with monkeypatch.context() as patch:
            if store is not None:
                patch.setattr(folder, "store_of", lambda _, path: (store, path[5:]))
            return run_job(lambda: batch_score.run(spark, args))

    return run


@pytest.fixture
def drive(linear: Path, numbered: Path, tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """Start a driver with its own JVM; it ends with the test."""
    started: list[Driver] = []

    def start(
        output: Path,
        *flags: object,
        model: Path = linear,
        source: Path = numbered,
        before: str = "",
        environment: dict[str, str] | None = None,
    ) -> Driver:
        words = ("--model", model, "--input", source, "--output", output, *flags)
        log = tmp_path / f"log-{len(started)}"
        started.append(Driver.start(before, log, words, environment or {}))
        return started[-1]

    yield start
    for driver in started:
        driver.kill()
