"""The batch job: reads rows, adds predictions, writes the rows and a report. Driver.

All errors that do not depend on values are raised before the first task: in the model, the input,
the output, the binding and the versions on the workers. The job counts input rows and output rows.
If the counts differ, it publishes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

from tfspark.bound_models import NamedModel
from tfspark.errors import EngineError, UsageError, explain
from tfspark.foreign_text import lines, one_line
from tfspark.mlflow_models import is_mlflow_uri
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.direct import plan_direct
from tfspark.scoring.direct_input import NotDirectError
from tfspark.scoring.engine_facts import timed_engines, used_engines
from tfspark.scoring.file_groups import refuse_chunks
from tfspark.scoring.identity import key_of
from tfspark.scoring.input.lakes import refuse_lake
from tfspark.scoring.job import BatchJob, Plan
from tfspark.scoring.model_card import card_of
from tfspark.scoring.output.bad_rows import REASON, BadRowsOutput, GoodAndBadRows
from tfspark.scoring.output.choice import output_of
from tfspark.scoring.output.journal import PARTITIONS
from tfspark.scoring.output.protocol import Output, Transaction, cleanup_on_failure, publish
from tfspark.scoring.own_input import folder_read, refuse_same_table
from tfspark.scoring.pinned_input import pinned
from tfspark.scoring.preflight import check_settings, check_space, open_models
from tfspark.scoring.report import Report, model_facts
from tfspark.scoring.row_facts import add_row_facts, read_baseline
from tfspark.scoring.run_name import new_run_name
from tfspark.scoring.through_spark import plan_through_spark
from tfspark.scoring.unused_options import refuse_unused
from tfspark.spark.cluster.failures import cause, own_errors
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.cluster.progress import progress
from tfspark.spark.cluster.result_settings import result_settings
from tfspark.spark.model_requests import ModelRequest, loaded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tfspark.feeding import Feed
    from tfspark.package import ModelPackage

_log = logging.getLogger(__name__)


def new_report(job: str) -> Report:
    """Return an empty report of a run that begins now."""
    now = datetime.now(timezone.utc)
    run = new_run_name(now)
    return Report(job=job, run=run, started=now.isoformat(timespec="seconds"))


def plan(spark: SparkSession, job: BatchJob, report: Report) -> Plan:
    """Check every part of a job that can be checked without running it.

    Raises:
        TfsparkError: When the model, the input, the output or the binding cannot be used.
    """
    with report.phase("plan"):
        requests = job.requests
        packages = loaded(spark, requests)
        report.model = _facts(requests, packages)
        pairs = zip(requests, packages, strict=True)
        report.cards = {request.key: card for request, one in pairs if (card := card_of(one.path))}
        refuse_unused(job.source, is_read=True)
        refuse_chunks(job)
        refuse_lake(spark, job.source, "input")
        job = replace(job, source=pinned(spark, job.source))
        report.input, report.output = str(job.source), str(job.target)
        output = output_of(spark, job.target, job.mode, report.run)
        _check_run_id(job, output)
        baseline = read_baseline(spark, job.reported.baseline)
        refuse_same_table(spark, job, output)
        places = (folder_read(spark, job.source), *map(_folder, packages))
        read = [place for place in places if place]
        output.check(*read)
        bad = _bad_rows(spark, job, report, output, read)
        if bad is not None:
            options = replace(job.options, on_error="null", reason=REASON)
            job = replace(job, options=options)
        models = [
            NamedModel(one.key, package, one.options, cast("Feed", one.feed), one.fetch)
            for one, package in zip(job.requests, packages, strict=True)
        ]
        check_settings(spark, job.options.engine)
        planned = _plan_path(spark, job, models, output, bad)
        output.check_columns(planned.columns)
        check_space(spark, job, planned)
        report.rounded = list(planned.rounded)
        report.engine = timed_engines(planned.models)
        return replace(
            planned,
            max_bad_rows=job.max_bad_rows,
            job=key_of(job, planned.models, planned.snapshot, result_settings(spark)),
            reported=job.reported,
            baseline=baseline,
        )


def _check_run_id(job: BatchJob, output: Output) -> None:
    """Refuse a run id for an output that cannot mark a run as done."""
    if job.run_id and not output.records_runs:
        raise UsageError(
            explain(
                f"The {job.target} cannot mark a run as done.",
                expected="with --run-id: a folder, a table of files, a Delta or Iceberg table, or "
                "a table of a JDBC catalog",
                hint="leave out --run-id, or write to --output.",
            )
        )


def _folder(package: ModelPackage) -> str:
    """Return the folder of a model; Spark has no file system for the URI of a registry."""
    return package.path if is_mlflow_uri(package.place) else package.place


def _facts(requests: Sequence[ModelRequest], packages: Sequence[ModelPackage]) -> dict[str, Any]:
    """Return the facts about the model, or those of each key."""
    if not requests[0].key:
        return model_facts(packages[0])
    pairs = zip(requests, packages, strict=True)
    return {request.key: model_facts(package) for request, package in pairs}


def _bad_rows(
    spark: SparkSession, job: BatchJob, report: Report, output: Output, read: Sequence[str]
) -> BadRowsOutput | None:
    """Return the checked folder for bad rows, if the job sets them aside."""
    if not job.bad_rows:
        return None
    if job.models:
        problem = "A job with several models cannot set bad rows aside."
        hint = "leave out --bad-rows, or run a job for each model."
        raise UsageError(explain(problem, hint=hint))
    if job.mode == PARTITIONS:
        problem = f"The folder for bad rows has no partitions, so it has no mode {PARTITIONS}."
        raise UsageError(explain(problem, hint="leave out --bad-rows, or choose another --mode."))
    bad = BadRowsOutput(spark, Dataset(job.bad_rows), job.mode, report.run, output)
    bad.check(*read)
    for path in filter(None, (job.target.path, job.source.path)):
        bad.check_beside(path)
    report.bad_rows_output = job.bad_rows
    return bad


def _plan_path(
    spark: SparkSession,
    job: BatchJob,
    models: Sequence[NamedModel],
    output: Output,
    bad: BadRowsOutput | None,
) -> Plan:
    """Plan the direct path if the result is the same, otherwise a path through Spark."""
    if job.path == "spark":
        return plan_through_spark(spark, job, models, output, bad)
    try:
        return plan_direct(spark, job, models, output, bad)
    except NotDirectError as reason:
        if job.path == "direct":
            raise UsageError(
                explain(
                    f"This job cannot take the direct path: {reason}.",
                    hint="leave --path out, or use --path spark.",
                )
            ) from reason
        _log.info("rows go through Spark's sources: %s", reason)
        return plan_through_spark(spark, job, models, output, bad)


def execute(
    spark: SparkSession,
    planned: Plan,
    report: Report,
    save: Callable[[Report], object] | None = None,
) -> Report:
    """Run a planned job and publish its output.

    Args:
        spark: The session.
        planned: The job.
        report: The report of this run.
        save: Writes the report, after the rows are published. If the job is killed before `save`
            returns, the next run of the same job finds the rows published and saves the report.

    Returns:
        The complete report. If an earlier run has already done the job, it is the report of that
        run.

    Raises:
        TfsparkError: A worker raised it. Nothing is published.
    """
    output: Transaction = planned.output
    if planned.bad is not None:
        output = GoodAndBadRows(planned.output, planned.bad)
    with own_errors(), cleanup_on_failure(output), naming_lost_workers(planned.subject):
        done = output.begin(planned.job)
        if done is not None:
            report = report.of_run(done.report)
            _log.info("already done by run %s: nothing is scored", report.run)
        else:
            _stage(spark, planned, report)
            with report.phase("publish"):
                publish(output, planned.output, report.record())
    finish_job(output, report, save)
    return report


def _stage(spark: SparkSession, planned: Plan, report: Report) -> None:
    with report.phase("preflight"):
        versions = open_models(spark, planned.models, by_rdd=planned.path == "direct")
    with report.phase("score"), progress(spark, "scoring") as tally:
        done = planned.stage(tally)
    report.path = planned.path
    report.rows_in, report.rows_out, report.null_rows = (
        done.rows_in,
        done.rows_out,
        done.null_rows,
    )
    report.bad_rows, report.kept_rows = done.bad_rows, done.kept_rows
    report.scored_rows = done.rows_in - done.kept_rows
    report.versions = {"spark": spark.version, **versions}
    report.engine = used_engines(planned.models, done.choices) or report.engine
    add_row_facts(report, planned, done)
    _check_counts(report)
    planned.max_bad_rows.check(done.bad_rows, done.rows_in)


def finish_job(
    output: Transaction, report: Report, save: Callable[[Report], object] | None
) -> None:
    """Save the report of published rows and end the job. Errors are only logged.

    An interrupt releases the lock. The same command then finds the job done.
    """
    try:
        _save_and_acknowledge(output, report, save)
    except BaseException:
        output.suspend()
        raise


def _save_and_acknowledge(
    output: Transaction, report: Report, save: Callable[[Report], object] | None
) -> None:
    try:
        if save is not None:
            save(report)
    except Exception as error:
        _log.error("%s", error)
    try:
        output.acknowledge()
    except Exception as error:
        _log.warning("the next job removes the files that this one left: %s", cause(error))


def _check_counts(report: Report) -> None:
    """Refuse to publish when a row is missing."""
    written = report.rows_out + report.bad_rows
    if report.rows_in != written:
        raise EngineError(
            explain(
                "Rows were lost or duplicated; nothing is published.",
                expected=f"{report.rows_in} rows",
                found=f"{written} rows",
                hint="run the job again; before Spark 4.3, a retried task can be counted twice.",
            )
        )


def describe(planned: Plan, report: Report) -> str:
    """Return the plan as text: the model, the input, the output and the columns."""
    columns = ", ".join(f"{name} {kind}" for name, kind in planned.columns.items())
    facts = [
        f"input  {report.input}",
        f"output {report.output}",
        f"columns {columns}",
        *(f"rounded {sentence}" for sentence in planned.rounded),
        *(str(model.choice) for model in planned.models if model.choice is not None),
        *([f"bad    {report.bad_rows_output}"] if planned.bad else []),
        f"path   {planned.path}",
        "nothing was run, nothing was written",
    ]
    pages = [lines(_described(model)) for model in planned.models]
    return "\n".join([*pages, *map(one_line, facts)])


def _described(model: NamedModel) -> str:
    page = model.package.describe()
    return f"model {model.key!r}: {page}" if model.key else page
