"""The batch job: rows of a dataset in, the same rows with predictions out, and a report. Driver.

In comes a `BatchJob`, what the user asked for; out goes a `Report`. Everything that can be wrong
without looking at values is raised before the first task: the model, the input, the output, the
binding, the versions on the workers. Rows are counted on their way in and out, and a job whose
counts differ publishes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import uuid4

from tfspark.errors import EngineError, explain
from tfspark.package import ModelPackage
from tfspark.schema import Strings
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.publish import Mode, Output, output_of
from tfspark.scoring.report import Report, model_facts
from tfspark.spark.counting import RowCount, counted
from tfspark.spark.dataframe import predict
from tfspark.spark.failures import from_worker
from tfspark.spark.options import ScoreOptions, model_of
from tfspark.spark.progress import progress
from tfspark.spark.workers import worker_versions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class BatchJob:
    """What a user asks of a batch job; see `predict` for feed, fetch, keep and narrow.

    Attributes:
        model: Path or URI of the model.
        source: Where rows come from.
        target: Where rows go.
        mode: What to do when the target exists.
        options: Options of the faces: version, signature, batch_size, engine, distribute.
    """

    model: str
    source: Dataset
    target: Dataset
    mode: Mode = "error"
    feed: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    fetch: Mapping[str, str] | None = None
    keep: Sequence[str] | None = None
    narrow: bool = False
    strings: Strings = "string"
    options: ScoreOptions = field(default_factory=ScoreOptions)


@dataclass(frozen=True)
class Plan:
    """A job whose every part was checked: nothing has run, nothing is written."""

    package: ModelPackage
    predictions: DataFrame
    output: Output
    rows_in: RowCount
    rows_out: RowCount


def new_report(job: str) -> Report:
    """Return an empty report of a run that begins now."""
    now = datetime.now(timezone.utc)
    run = f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:8]}"
    return Report(job=job, run=run, started=now.isoformat(timespec="seconds"))


def plan(spark: SparkSession, job: BatchJob, report: Report) -> Plan:
    """Check every part of a job that can be checked without running it.

    Raises:
        TfsparkError: The child that fits: model, input, output or binding.
    """
    with report.phase("plan"):
        package = model_of(spark, job.model, job.options)
        report.model = model_facts(package)
        report.input, report.output = str(job.source), str(job.target)
        rows = job.source.read(spark)
        output = output_of(spark, job.target, job.mode, report.run)
        output.check()
        rows, rows_in = counted(rows)
        scored = predict(
            rows,
            package,
            feed=job.feed,
            fetch=job.fetch,
            keep=job.keep,
            narrow=job.narrow,
            strings=job.strings,
            **job.options,
        )
        # A model never returns null, so a null prediction is a row with a null input.
        scored, rows_out = counted(scored, null_in=scored.columns[-1])
    return Plan(package, scored, output, rows_in, rows_out)


def execute(spark: SparkSession, planned: Plan, report: Report) -> Report:
    """Run a planned job and publish its output.

    Returns:
        The report, complete.

    Raises:
        TfsparkError: What a worker raised; nothing is published then.
    """
    with report.phase("preflight"):
        report.versions = {"spark": spark.version, **worker_versions(spark)}
    try:
        with report.phase("score"), progress(spark, "scoring"):
            planned.output.stage(planned.predictions)
        _count(planned, report)
        with report.phase("publish"):
            planned.output.publish()
    except Exception as error:
        planned.output.discard()
        raise from_worker(error) or error from error
    return report


def _count(planned: Plan, report: Report) -> None:
    """Take the counts of the run and refuse to publish when a row is missing."""
    report.rows_in = planned.rows_in.rows
    report.rows_out, report.null_rows = planned.rows_out.rows, planned.rows_out.nulls
    if report.rows_in != report.rows_out:
        raise EngineError(
            explain(
                "Rows were lost or doubled on the way; nothing is published.",
                expected=f"{report.rows_in} rows",
                found=f"{report.rows_out} rows",
                hint="run again; before Spark 4.3 a retried task was counted twice.",
            )
        )


def describe(planned: Plan, report: Report) -> str:
    """Return the plan in words: the model, where rows come from and go to, the columns."""
    return "\n".join(
        [
            planned.package.describe(),
            f"input  {report.input}",
            f"output {report.output}",
            f"columns {planned.predictions.schema.simpleString()}",
            "nothing was run, nothing was written",
        ]
    )
