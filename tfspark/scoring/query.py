"""The SQL job: registers models, runs statements and writes the last result. Driver.

The result is staged and published as in the batch job. Without a target, the caller gets the result
as a DataFrame.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard

from tfspark.bound_models import NamedModel
from tfspark.errors import UsageError, explain
from tfspark.model_title import title_of
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.scoring.batch import finish_job, new_report
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key
from tfspark.scoring.input.spark_input import snapshot_of
from tfspark.scoring.output.choice import output_of
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import PARTITIONS, Journal
from tfspark.scoring.output.protocol import Mode, Output, cleanup_on_failure, publish
from tfspark.scoring.own_input import without_target
from tfspark.scoring.pinned_input import log_unpinned
from tfspark.scoring.preflight import check_settings, open_models
from tfspark.scoring.report import Report, model_facts
from tfspark.spark.cluster.counting import counted
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.cluster.progress import progress
from tfspark.spark.cluster.result_settings import result_settings
from tfspark.spark.cluster.sources import sources_of
from tfspark.spark.model_loading import model_of
from tfspark.spark.sql import register_function

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from tfspark.package import ModelPackage

_log = logging.getLogger(__name__)

# One piece of SQL text: a quoted string or name, a comment, a semicolon, or anything else.
_PIECE = re.compile(
    r"""'(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" | `[^`]*` | --[^\n]* | /\*.*?\*/ | ; | .""",
    re.X | re.S,
)


@dataclass(frozen=True)
class QueryJob:
    """The settings of a SQL job.

    Attributes:
        models: SQL name → path or URI of a model.
        text: Statements, separated by semicolons.
        target: The output of the last result; `None` to return it to the caller.
        mode: What to do when the target exists.
        options: SQL name → options of that model.
    """

    models: Mapping[str, str]
    text: str
    target: Dataset | None = None
    mode: Mode = "error"
    options: Mapping[str, ScoreOptions] = field(default_factory=dict)

    def options_of(self, name: str) -> ScoreOptions:
        """Return the options of one model."""
        return self.options.get(name, DEFAULTS)


def run_query(
    spark: SparkSession, job: QueryJob, save: Callable[[Report], object] | None = None
) -> tuple[Report, DataFrame]:
    """Register the models, run the statements, write the last result when there is a target.

    Args:
        spark: The session.
        job: The settings of the job.
        save: Writes the report of published rows, as for `batch.execute`.

    Raises:
        TfsparkError: A subclass for each kind of error. Nothing is published.
        AnalysisException: When Spark refuses a statement.
    """
    report = new_report("sql_score")
    statements = split_statements(job.text)
    if not statements:
        raise _no_statement(job.text)
    with report.phase("plan"):
        packages = {
            name: model_of(spark, path, job.options_of(name)) for name, path in job.models.items()
        }
        report.model = {name: model_facts(package) for name, package in packages.items()}
        output = None if job.target is None else output_of(spark, job.target, job.mode, report.run)
        if output is not None:
            output.check()
    with report.phase("preflight"):
        check_settings(spark)
        models = [NamedModel(key, one, job.options_of(key), {}) for key, one in packages.items()]
        report.versions = {"spark": spark.version, **open_models(spark, models)}
    outcome = nullcontext() if output is None else cleanup_on_failure(output)
    subject = ", ".join(f"model {title_of(package)}" for package in packages.values())
    with own_errors(), outcome, naming_lost_workers(subject):
        for name, package in packages.items():
            register_function(spark, name, package, None, job.options_of(name))
        done = None
        with report.phase("score"), progress(spark, "query"):
            if _may_read(output, job.mode):
                output.recover()  # before the query lists the files
            result = _last_of(spark, statements)
            if output is not None:
                done = _stage(result, statements[-1], job, packages, output, report)
        if output is not None and done is None:
            with report.phase("publish"):
                publish(output, output, report.as_dict())
    if done is not None:
        report = report.of_run(done.report)
        _log.info("already done by run %s", report.run)
    if output is not None:
        finish_job(output, report, save)
    return report, result


def _no_statement(text: str) -> UsageError:
    hint = "give a statement, such as SELECT 1, with --query or --file."
    return UsageError(explain("There is no SQL statement.", found=repr(text[:80]), hint=hint))


def _last_of(spark: SparkSession, statements: Sequence[str]) -> DataFrame:
    """Run the statements; return the rows of the last one."""
    for statement in statements[:-1]:
        spark.sql(statement)
    return spark.sql(statements[-1])


def _may_read(output: Output | None, mode: Mode) -> TypeGuard[PathOutput]:
    """Whether the query may read the files of its target; other modes refuse such a query."""
    return isinstance(output, PathOutput) and mode == "append"


def _stage(
    result: DataFrame,
    statement: str,
    job: QueryJob,
    packages: Mapping[str, ModelPackage],
    output: Output,
    report: Report,
) -> Journal | None:
    """Stage the result; return the record if an earlier run has already published this job."""
    _refuse_command(result)
    output.check_columns(dict(result.dtypes))
    digests = [(name, package.digest) for name, package in packages.items()]
    sources = sources_of(result)
    log_unpinned(sources)
    # A query may append rows that its target does not have yet.
    if job.mode in ("overwrite", PARTITIONS):
        output.check_sources(sources)
    spark = result.sparkSession
    snapshot = snapshot_of(spark, without_target(spark, sources, output))
    facts = [replace(job, models={}), digests, *result_settings(spark)]
    done = output.begin(digest_key("", facts, snapshot))
    if done is not None:
        return done
    if _may_read(output, job.mode):
        output.refuse_stale(sources, lambda: spark.sql(statement))
    counting, count = counted(result)
    output.stage(counting)
    report.rows_out = count.rows
    report.output = str(job.target)
    return None


def _refuse_command(result: DataFrame) -> None:
    if not result.columns:
        raise UsageError(
            explain(
                "The last statement returns no rows to write.",
                expected="a query, such as SELECT … FROM …",
                hint="put the query last, or leave out --output and --output-table.",
            )
        )


def split_statements(text: str) -> list[str]:
    """Split SQL text at semicolons outside of quotes and comments; empty statements are dropped."""
    statements = [""]
    for piece in _PIECE.findall(text):
        if piece == ";":
            statements.append("")
        elif piece.startswith("--") or (piece.startswith("/*") and not piece.startswith("/*+")):
            statements[-1] += " "  # a SQL hint looks like a comment; keep it
        else:
            statements[-1] += piece
    return [statement.strip() for statement in statements if statement.strip()]
