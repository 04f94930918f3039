"""Plans a job with Spark's own readers and writers, for any source. Driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from tfspark.bound_models import BoundModels, NamedModel
from tfspark.data_files.footers import WITH_FOOTERS
from tfspark.errors import BindingError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.file_groups import GroupStage
from tfspark.scoring.input.broken_records import naming_broken_records
from tfspark.scoring.input.spark_input import SparkInput, input_of, snapshot_of
from tfspark.scoring.job import BatchJob, Outcome, Plan
from tfspark.scoring.output.bad_rows import FILE, REASON, BadRowsOutput
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import PARTITIONS
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.own_input import without_target
from tfspark.scoring.pinned_input import log_unpinned
from tfspark.scoring.split_frame import SplitFrame
from tfspark.spark.cluster.arrow_batches import sized_batches
from tfspark.spark.cluster.bad_rows import with_file
from tfspark.spark.cluster.counting import counted
from tfspark.spark.cluster.sources import Source, sources_of
from tfspark.spark.cluster.tally import Tally
from tfspark.spark.cluster.task_sketches import TaskSketches
from tfspark.spark.dataframe import score_bound, score_frame
from tfspark.spark.model_requests import ModelRequest
from tfspark.terms import FLAGS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType


def plan_through_spark(
    spark: SparkSession,
    job: BatchJob,
    models: Sequence[NamedModel],
    output: Output,
    bad: BadRowsOutput | None = None,
) -> Plan:
    """Return the plan of a job that uses Spark's readers and writers.

    Raises:
        InputNotFoundError: When the input does not exist.
        InvalidInputError: When a file of the input is broken, empty, or lacks a column.
        BindingError: When inputs, outputs and columns do not match.
    """
    dataset = _merging(job.source) if job.allow_missing else job.source
    with naming_broken_records(spark, dataset):
        rows = dataset.read(spark)
    source = input_of(spark, rows, dataset) if dataset.path else None
    sources = _sources(rows, job, output)
    names_in = rows.columns if bad is None else bad.names_beside(rows.columns)
    watched, rows_in = counted(rows if bad is None else with_file(rows, FILE))
    sketches = _sketches(spark, job, bad)
    scored, bound = _scored(watched, job, models, source, sketches)
    if source is not None:
        _check_columns(source, rows, dataset, job, bound)
    split = _split(scored, bound, names_in, job, bad)
    # A model never returns null, so a null prediction is a row with a null input.
    good, rows_out = counted(scored if split is None else split.good, null_in=bound.watched)
    groups = _groups(rows, source, output, job, _scoring(job, models, bound, sketches))

    def write() -> Outcome:
        with nullcontext() if split is None else split.holding():
            bad_rows = 0 if split is None else split.stage_bad()
            output.stage(good)
        return Outcome(rows_in.rows, rows_out.rows, rows_out.nulls, bad_rows)

    def stage(_tally: Tally) -> Outcome:
        _refuse_stale(spark, job, sources, output)
        beside = _other_types(scored, bound)
        with naming_broken_records(spark, dataset), sized_batches(spark, bound.signatures, beside):
            outcome = write() if groups is None else groups()
        if source is not None:
            source.check_unchanged()
        return replace(outcome, sketch=sketches.total(), choices=sketches.choices())

    snapshot, columns = _snapshot(spark, source, sources, output), dict(good.dtypes)
    return Plan(bound.models, output, "spark", columns, bound.rounded, stage, snapshot, bad)


def _split(
    scored: DataFrame,
    bound: BoundModels,
    names: Sequence[str],
    job: BatchJob,
    bad: BadRowsOutput | None,
) -> SplitFrame | None:
    """Split good and bad rows, if the job sets bad rows aside; it then has a single model."""
    if bad is None:
        return None
    return SplitFrame.of(scored, bound.bindings[0], names, job.keep, bad)


def _sketches(spark: SparkSession, job: BatchJob, bad: BadRowsOutput | None) -> TaskSketches:
    """Return the object that collects the engines of tasks, and statistics if they are wanted."""
    reported = job.reported
    if bad is None:
        return TaskSketches(spark, reported.sample_rows, statistics=reported.statistics)
    # A frame with a reason keeps all columns of the input, even those that only bad rows need.
    keep = None if job.keep is None else tuple(job.keep)
    return TaskSketches(
        spark, reported.sample_rows, keep, (FILE,), REASON, statistics=reported.statistics
    )


def _groups(
    rows: DataFrame,
    source: SparkInput | None,
    output: Output,
    job: BatchJob,
    score: Callable[[DataFrame], DataFrame],
) -> GroupStage | None:
    """Return the stage that scores the input in groups of files; `None` for one group."""
    return GroupStage.of(rows, source, output, job.chunks, score) if job.chunks > 1 else None


def _scoring(
    job: BatchJob,
    models: Sequence[NamedModel],
    bound: BoundModels,
    sketches: TaskSketches,
) -> Callable[[DataFrame], DataFrame]:
    """Return a function that scores some rows of the input."""
    feeds, keep = [model.feed for model in models], job.keep

    def score(some: DataFrame) -> DataFrame:
        return score_bound(some, bound, feeds=feeds, keep=keep, sketches=sketches)

    return score


def _merges(dataset: Dataset) -> bool:
    return dataset.option("mergeSchema").lower() == "true"


def _merging(source: Dataset) -> Dataset:
    """Let Spark take the columns of all files, instead of the columns of one file."""
    if not source.path or source.format not in WITH_FOOTERS:
        return source
    merging = {} if source.option("mergeSchema") else {"mergeSchema": "true"}
    return replace(source, options={**merging, **source.options})


def _scored(
    rows: DataFrame,
    job: BatchJob,
    models: Sequence[NamedModel],
    source: SparkInput | None,
    sketches: TaskSketches,
) -> tuple[DataFrame, BoundModels]:
    """Score the rows. If binding fails, an error about a file without a column comes first."""
    try:
        scored = score_frame(
            rows,
            [ModelRequest.of(model) for model in models],
            keep=None if job.bad_rows else job.keep,
            difference=job.difference,
            terms=FLAGS,
            sketches=sketches,
        )
    except BindingError:
        if source is not None:
            source.explain_unbound(rows.columns)
        raise
    return scored.frame, scored.bound


def _sources(rows: DataFrame, job: BatchJob, output: Output) -> list[Source]:
    """Return the sources of the rows; refuse those that the job would change."""
    sources = sources_of(rows)
    if job.source.table and not job.source.version:
        log_unpinned(sources)
    # A view may read the table that is appended to, for example to leave out the rows in it.
    if job.mode in ("overwrite", PARTITIONS) or (job.mode == "append" and job.source.path):
        output.check_sources(sources)
    return sources


def _check_columns(
    source: SparkInput, rows: DataFrame, dataset: Dataset, job: BatchJob, bound: BoundModels
) -> None:
    """Refuse files that lack a column of the job."""
    names = None if job.bad_rows else _needed(rows, job, bound)
    source.check_columns(names, allow_missing=job.allow_missing or _merges(dataset))


def _refuse_stale(
    spark: SparkSession, job: BatchJob, sources: Sequence[Source], output: Output
) -> None:
    """Refuse a view of the target that was planned before the target was locked and changed."""
    if job.mode == "append" and job.source.table and isinstance(output, PathOutput):
        output.refuse_stale(sources, lambda: job.source.read(spark))


def _snapshot(
    spark: SparkSession, source: SparkInput | None, sources: Sequence[Source], output: Output
) -> Sequence[object] | None:
    """Return the state of the input; `None` for sources without files or versions."""
    if source is None or not source.uris:
        return snapshot_of(spark, without_target(spark, sources, output))
    return [*source.uris, *source.files]


def _needed(rows: DataFrame, job: BatchJob, bound: BoundModels) -> list[str] | None:
    """Return the columns that feed inputs or are kept; `None` for all columns."""
    fed = bound.columns
    if job.keep is None or not set(fed) <= set(rows.columns):
        return None  # an expression feeds an input; only Spark knows its columns
    return [*job.keep, *fed]


def _other_types(scored: DataFrame, bound: BoundModels) -> list[DataType]:
    """Return the types of the kept columns that feed no input."""
    kept = scored.schema.fields[: -len(bound.fields)]
    return [field.dataType for field in kept if field.name not in bound.columns]
