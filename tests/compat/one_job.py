"""The model, the answers and the steps that the tests of table formats share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output import catalog
from tfspark.scoring.output.held_rows import HeldRows

LINEAR = str(Path(os.environ["TFSPARK_COMPAT_MODELS"]) / "linear")
# The id and the prediction of each row.
SCORED = [(at, 2.0 * at + 2) for at in range(5)]


# The operations of a job on its table; each of them is one transaction of the table format.
OPERATIONS = ("create", "append_rows", "replace_rows", "set_property", "unset_property")


class Killed(BaseException):
    """The end of a job that was killed."""


def kill(*_: object) -> None:
    """End a job like a kill."""
    raise Killed


def killed_before(number: int, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run a job and kill it before an operation; return whether it had so many operations."""
    done: list[str] = []

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*values: Any, **named: Any) -> Any:
            if len(done) == number:
                raise Killed
            done.append(real.__name__)
            return real(*values, **named)

        return operation

    with monkeypatch.context() as patch:
        patch.setattr(HeldRows, "hold", counting(HeldRows.hold))
        for name in OPERATIONS:
            patch.setattr(catalog, name, counting(getattr(catalog, name)))
        try:
            run()
        except Killed:
            return True
    return False


KILLED_JOBS = pytest.mark.parametrize(
    ("mode", "is_there", "run_id"),
    [("append", True, ""), ("append", False, "mine"), ("overwrite", True, "mine")],
)


def kill_before_each_operation(
    mode: str,
    is_there: bool,
    run_id: str,
    run: Callable[[str, str], object],
    rows: Callable[[], object],
    drop: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kill jobs before each operation and run them again: a reader never sees a part of the rows.

    Args:
        mode: Mode of the killed job.
        is_there: Whether the table has rows before.
        run_id: Run id of the killed job.
        run: Runs a job in a mode and with a run id.
        rows: Returns the rows of the table; `None` if there is no table.
        drop: Checks that the table has no note of a job, and drops it.
        monkeypatch: The fixture of the test.
    """
    after = sorted(SCORED * (2 if is_there and mode == "append" else 1))
    for number in range(9):
        if is_there:
            run("append", "")
        before, key = rows(), run_id and f"{run_id} {number}"
        was_killed = killed_before(number, lambda: run(mode, key), monkeypatch)  # noqa: B023
        assert rows() in (before, after), number
        if was_killed:
            run(mode, key)
        assert rows() == after, number
        drop()
        if not was_killed:
            assert number > 1
            return
    raise AssertionError("the job does not end")


def session_in(home: Path, settings: Mapping[str, str]) -> SparkSession:
    """Return a session with its files in a folder, which becomes the working directory."""
    os.environ["TFSPARK_CACHE_DIR"] = str(home / "cache")
    os.chdir(home)
    own = {"spark.ui.enabled": "false", "spark.sql.warehouse.dir": str(home / "warehouse")}
    session = SparkSession.builder.master("local[2]").config(map={**own, **settings}).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def run_while_it_changes(
    spark: SparkSession, job: BatchJob, change: Callable[[], object]
) -> tuple[str, str]:
    """Run a job whose input changes after its plan; return the input before and after.

    The same settings must be another job after the change.
    """
    first, later = new_report("test"), new_report("test")
    planned = plan(spark, job, first)
    change()
    assert plan(spark, job, later).job != planned.job
    execute(spark, planned, first)
    return first.input, later.input
