"""The direct path: each task reads its files, scores and writes, past the JVM. Driver.

Spark plans, schedules and retries the splits; pyarrow reads and writes the bytes.

Invariants: the same rows, order and columns as through Spark; a task attempt writes under its own
name, and only the parts that Spark counts as the tasks' own are published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tfspark.columns import columns_of, resolve
from tfspark.dtypes import sql_name
from tfspark.errors import BindingError
from tfspark.package import ModelPackage
from tfspark.schema import Binding, bind, kept_columns
from tfspark.scoring.direct_input import DirectInput, NotDirectError, check_session, open_input
from tfspark.scoring.input.listing import open_filesystem
from tfspark.scoring.input.same_types import arrow_name
from tfspark.scoring.input.splits import Piece, cut, plan_splits
from tfspark.scoring.job import BatchJob, Outcome, Plan
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.parts import PartScorer
from tfspark.spark.cluster.tasks import run_splits, task_slots
from tfspark.spark.model import handle_of
from tfspark.terms import FLAGS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["NotDirectError", "plan_direct"]


def plan_direct(spark: SparkSession, job: BatchJob, package: ModelPackage, output: Output) -> Plan:
    """Return the plan of a job whose tasks read and write files themselves.

    Raises:
        NotDirectError: When input or output do not allow it.
        BindingError: Inputs, outputs and columns do not fit.
        InvalidInputError: When a file of the input is broken, or lacks a column.
    """
    check_session(spark, job)
    folder = _folder(output)
    source = open_input(spark, job)
    keep = None if job.keep is None else [_resolved(name, source) for name in job.keep]
    kept = kept_columns(source.schema.names, keep)
    binding = _bound(source, job, package, kept)
    names = list(dict.fromkeys([*kept, *binding.columns]))
    source.check_columns(names, job)
    wanted = pa.schema([source.schema.field(name) for name in names])

    def stage() -> Outcome:
        pieces = cut(source.files, source.footers, source.format)
        task = PartScorer(
            handle=handle_of(spark, package, job.options),
            binding=binding,
            options=job.options,
            keep=kept,
            root=source.root,
            format=source.format,
            schema=wanted,
            allow_missing=job.allow_missing,
            staged=folder,
        )
        outcome, files = _run(spark, plan_splits(pieces, task_slots(spark)), task)
        output.take(files)
        return outcome

    columns = {name: str(arrow_name(source.schema.field(name).type)) for name in kept}
    columns |= {output.column: sql_name(output.arrow) for output in binding.outputs}
    return Plan(package, output, "direct", columns, binding.rounded, stage)


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


def _bound(source: DirectInput, job: BatchJob, package: ModelPackage, kept: list[str]) -> Binding:
    """Bind the columns of the files; fields of structs are left to Spark, which resolves them."""
    columns = columns_of(source.schema)
    structs = [kind for kind in source.schema.types if pa.types.is_struct(kind)]
    fields = {inner.name.lower() for struct in structs for inner in struct}
    own = {name.lower() for name in [*columns, *job.feed]}
    if any(spec.name.lower() in fields - own for spec in package.signature.inputs):
        raise NotDirectError("a field of a struct may feed an input")
    try:
        binding = bind(
            package.signature,
            columns,
            feed=job.feed,
            fetch=job.fetch,
            options=job.options,
            taken=kept,
            terms=FLAGS,
        )
    except BindingError:
        source.explain_unbound(job)
        raise
    binding.log()
    return binding


def _run(
    spark: SparkSession, splits: list[tuple[Piece, ...]], task: PartScorer
) -> tuple[Outcome, list[str]]:
    """Run the tasks; return what they did, and the files of the counted attempts."""
    target, folder = open_filesystem(task.staged)
    target.create_dir(folder)

    parts = run_splits(spark, splits, task)
    files = [part.name for part in parts if part.name] or [_write_empty(task, target, folder)]
    outcome = Outcome(
        sum(part.rows_in for part in parts),
        sum(part.rows_out for part in parts),
        sum(part.null_rows for part in parts),
        parts[0].versions if parts else {},
    )
    return outcome, files


def _write_empty(task: PartScorer, target: fs.FileSystem, folder: str) -> str:
    """Write a part without rows, so that an output of no rows still has its columns."""
    fields = [task.schema.field(name) for name in task.keep]
    schema = pa.schema([*fields, *task.binding.output_fields])
    name = f"part-00000-{uuid4()}.snappy.parquet"
    with target.open_output_stream(f"{folder}/{name}") as sink:
        pq.write_table(schema.empty_table(), sink)
    return name
