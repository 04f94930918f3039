"""Adds statistics and drift of the rows to the report of a job. Driver."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tfspark.errors import InputNotFoundError, UsageError, explain
from tfspark.foreign_text import one_line
from tfspark.scoring.drift import METHOD, drift_of
from tfspark.scoring.job import Outcome, Plan
from tfspark.scoring.report import Report
from tfspark.sketches import RowSketch
from tfspark.sketches.summary import summary_of
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)


def read_baseline(spark: SparkSession, path: str) -> Mapping[str, Any] | None:
    """Return the report that the statistics of a job are compared with; `None` for no path.

    Raises:
        InputNotFoundError: When there is no such file.
        UsageError: When it is not a JSON report with statistics.
    """
    if not path:
        return None
    files = HadoopFiles(spark, path)
    if not files.exists(path) or files.is_folder(path):
        problem = f"There is no baseline report {path}."
        hint = "give the JSON file whose path a job prints as its last line."
        raise InputNotFoundError(explain(problem, expected="a file", hint=hint))
    with TemporaryDirectory(prefix="tfspark-") as folder:
        local = Path(folder) / "baseline.json"
        files.copy_to_local(path, local)
        return _checked(path, local.read_bytes())


def _checked(path: str, content: bytes) -> Mapping[str, Any]:
    try:
        report = json.loads(content)
        statistics = report["statistics"]
        drift_of(statistics, statistics)
    except Exception as error:  # the file may contain anything
        raise UsageError(
            explain(
                f"The baseline {path} is not a report with statistics.",
                expected="the JSON report of an earlier run without --no-stats",
                found=cause(error),
            )
        ) from error
    found: Mapping[str, Any] = report
    return found


def add_row_facts(report: Report, planned: Plan, outcome: Outcome) -> None:
    """Add the statistics of the rows, and their drift since the baseline.

    The rows do not need them, so a problem is only logged.
    """
    if outcome.sketch is None:
        return
    problem = outcome.sketch.problem
    try:
        if not problem:
            _add(report, planned, outcome.sketch)
    except Exception as error:  # the rows and the baseline may contain anything
        problem = cause(error)
    if problem:
        _log.warning("the report lacks statistics or drift: %s", one_line(problem))


def _add(report: Report, planned: Plan, sketch: RowSketch) -> None:
    values = planned.reported.sample_rows > 0
    report.statistics = summary_of(sketch, values=values)
    before = planned.baseline
    if before is not None:
        source = {key: before.get(key) for key in ("run", "started", "job")}
        drift = drift_of(report.statistics, before["statistics"])
        report.drift = {"baseline": source, "method": METHOD, **drift}
