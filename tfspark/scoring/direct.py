"""The direct path: each task reads, scores and writes its files without the JVM. Driver.

Spark plans, schedules and retries the splits; pyarrow reads and writes the bytes.

Invariants: rows, order and columns are the same as through Spark. Each attempt of a task writes
files with its own names. Only the files of the attempts that Spark reports as successful are
published.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.bound_models import BoundModels, NamedModel, bind_each
from tfspark.columns import columns_of, resolve
from tfspark.data_files.exact_types import arrow_name
from tfspark.data_files.splits import Piece, cut, plan_splits, rows_of
from tfspark.dtypes import sql_name
from tfspark.engine_choice import merged
from tfspark.errors import BindingError
from tfspark.file_systems import open_filesystem
from tfspark.schema import kept_columns
from tfspark.scoring.direct_input import DirectInput, NotDirectError, check_session, open_input
from tfspark.scoring.direct_trial import trial_on_files
from tfspark.scoring.job import BatchJob, Outcome, Plan
from tfspark.scoring.kept_parts import kept_parts
from tfspark.scoring.output.bad_rows import FILE, REASON, BadRowsOutput
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.parts import Part, PartScorer
from tfspark.scoring.split_rows import bad_schema
from tfspark.sketches import RowSketch, Wanted
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.cluster.tally import Tally
from tfspark.spark.cluster.tasks import run_splits, task_slots
from tfspark.spark.fastest_engine import with_engines
from tfspark.spark.model_loading import handle_of
from tfspark.spark.worker.model_chain import BoundModel, ModelChain
from tfspark.terms import FLAGS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def plan_direct(
    spark: SparkSession,
    job: BatchJob,
    models: Sequence[NamedModel],
    output: Output,
    bad: BadRowsOutput | None = None,
) -> Plan:
    """Return the plan of a job whose tasks read and write files themselves.

    Raises:
        NotDirectError: When input or output do not allow it.
        BindingError: When inputs, outputs and columns do not match.
        InvalidInputError: When a file of the input is broken, or lacks a column.
    """
    check_session(spark, job)
    folder = _folder(output)
    source = open_input(spark, job)
    keep = None if job.keep is None else [_resolved(name, source) for name in job.keep]
    kept = kept_columns(source.schema.names, keep)
    taken = kept if bad is None else bad.names_beside(source.schema.names)
    bound = _bound(source, job, models, taken)
    bound = with_engines(spark, bound, trial_on_files(spark, source, job))
    some = list(dict.fromkeys([*kept, *bound.columns]))
    names = some if bad is None else source.schema.names
    source.check_columns(names, job)
    wanted = pa.schema([source.schema.field(name) for name in names])

    def stage(tally: Tally) -> Outcome:
        task = PartScorer(
            chain=_chain(spark, bound),
            keep=kept,
            root=source.root,
            format=source.format,
            schema=wanted,
            allow_missing=job.allow_missing,
            staged=folder,
            staged_bad=None if bad is None else _folder(bad),
            wanted=_wanted(job, bound, kept, bad),
        )
        pieces = cut(source.files, source.footers, source.format)
        splits = plan_splits(pieces, task_slots(spark), job.chunks)
        return _stage(spark, splits, task, output, bad, tally)

    columns = _columns(source, kept, bound)
    if bad is not None:
        bad.check_columns(dict.fromkeys([*names, REASON, FILE], ""))
    return Plan(bound.models, output, "direct", columns, bound.rounded, stage, source.files, bad)


def _wanted(
    job: BatchJob, bound: BoundModels, kept: Sequence[str], bad: BadRowsOutput | None
) -> Wanted | None:
    """Return the statistics that tasks have to collect; `None` without statistics."""
    if not job.reported.statistics:
        return None
    predictions = tuple(bound.predictions)
    wanted = Wanted(
        inputs={name: name for name in bound.columns},
        outputs=predictions,
        reason="" if bad is None else REASON,
        sampled=(*kept, *predictions),
        rows=job.reported.sample_rows,
    )
    return wanted.described()


def _chain(spark: SparkSession, bound: BoundModels) -> ModelChain:
    pairs = zip(bound.models, bound.bindings, strict=True)
    models = [
        BoundModel(
            handle_of(spark, model.package, model.options, model.choice), binding, model.options
        )
        for model, binding in pairs
    ]
    return ModelChain(tuple(models), bound.differences)


def _columns(source: DirectInput, kept: Sequence[str], bound: BoundModels) -> dict[str, str]:
    """Return the columns of the output: name → Spark type."""
    columns = {name: str(arrow_name(source.schema.field(name).type)) for name in kept}
    return columns | {name: sql_name(arrow) for name, arrow in bound.predictions.items()}


def _folder(output: Output) -> str:
    """Return the URI of the folder that tasks write into."""
    folder = output.folder
    if folder is None:
        raise NotDirectError("only Spark can write tables")
    try:
        open_filesystem(folder)
    except OSError as error:
        raise NotDirectError(str(error)) from error
    return folder


def _resolved(name: str, source: DirectInput) -> str:
    return resolve(name, source.schema.names) or name


def _bound(
    source: DirectInput, job: BatchJob, models: Sequence[NamedModel], taken: list[str]
) -> BoundModels:
    """Bind the columns of the files. Fields of structs are left to Spark."""
    columns = columns_of(source.schema)
    structs = [kind for kind in source.schema.types if pa.types.is_struct(kind)]
    fields = {inner.name.lower() for struct in structs for inner in struct}
    names = {name.lower() for name in columns}
    if any(
        spec.name.lower() in fields - names and spec.name not in model.feed
        for model in models
        for spec in model.package.signature.inputs
    ):
        raise NotDirectError("a field of a struct may feed an input")
    try:
        bound = bind_each(
            models, [columns] * len(models), taken=taken, terms=FLAGS, difference=job.difference
        )
    except BindingError:
        source.explain_unbound(job)
        raise
    bound.log()
    return bound


def _stage(
    spark: SparkSession,
    splits: list[tuple[Piece, ...]],
    task: PartScorer,
    output: Output,
    bad: BadRowsOutput | None,
    tally: Tally,
) -> Outcome:
    """Run the tasks, and stage the parts of good and of bad rows."""
    # A kept part does not name its file of bad rows, so jobs with bad rows keep no parts.
    parts = _run(spark, splits, task, tally, keeps=output.keeps and bad is None)
    output.take([part.name for part in parts if part.name] or [_write_empty(task)])
    if bad is not None:
        bad.take([part.bad_name for part in parts if part.bad_name] or [_write_no_bad(task)])
    return _outcome(parts)


def _run(
    spark: SparkSession,
    splits: list[tuple[Piece, ...]],
    task: PartScorer,
    tally: Tally,
    *,
    keeps: bool,
) -> list[Part]:
    """Run a task for each split without a kept part; return the parts of all splits."""
    for uri in filter(None, (task.staged, task.staged_bad)):
        target, folder = open_filesystem(uri)
        target.create_dir(folder)

    target, folder = open_filesystem(task.staged)
    kept = kept_parts(target, folder, splits, task) if keeps else []
    there = {part.split for part in kept}
    todo = [(number, split) for number, split in enumerate(splits) if number not in there]
    with naming_lost_workers(task.chain.subject, lambda at: _in_words(*todo[at])):
        tally.total = rows_of([piece for split in splits for piece in split])
        tally.kept = sum(part.rows_in for part in kept)
        counted = tally.counting(spark, task.numbered, lambda part: (part.rows_in, part.bad_rows))
        done = run_splits(spark, todo, counted)
    return sorted([*kept, *done], key=lambda part: part.split)


def _in_words(number: int, split: Sequence[Piece]) -> str:
    """Return the number of a split and its files, for messages."""
    files = list(dict.fromkeys(piece.file.path for piece in split))
    more = f" and {len(files) - 1} more files" if len(files) > 1 else ""
    return f"partition {number}, from {files[0]}{more}"


def _outcome(parts: list[Part]) -> Outcome:
    return Outcome(
        rows_in=sum(part.rows_in for part in parts),
        rows_out=sum(part.rows_out for part in parts),
        null_rows=sum(part.null_rows for part in parts),
        bad_rows=sum(part.bad_rows for part in parts),
        kept_rows=sum(part.rows_in for part in parts if part.is_kept),
        sketch=_merged([part.sketch for part in parts if part.sketch is not None]),
        choices=reduce(merged, (part.choices for part in parts), ()),
    )


def _merged(sketches: Sequence[RowSketch]) -> RowSketch | None:
    """Return the statistics of all tasks; `None` if no task collected any."""
    total = RowSketch()
    for one in sketches:
        total.merge(one)
    return total if sketches else None


def _write_empty(task: PartScorer) -> str:
    """Write a part without rows, so that an output of no rows still has its columns."""
    fields = [task.schema.field(name) for name in task.keep]
    predictions = [field for field in task.chain.fields if field.name != REASON]
    return _write_no_rows(task.staged, pa.schema([*fields, *predictions]))


def _write_no_bad(task: PartScorer) -> str:
    """Write a part without bad rows."""
    return _write_no_rows(str(task.staged_bad), bad_schema(task.schema, task.schema.names))


def _write_no_rows(staged: str, schema: pa.Schema) -> str:
    target, folder = open_filesystem(staged)
    name = f"part-00000-{uuid4().hex}.snappy.parquet"
    with target.open_output_stream(f"{folder}/{name}") as sink:
        pq.write_table(schema.empty_table(), sink)
    return name
