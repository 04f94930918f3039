"""The direct way of rows: each task reads its files, scores and writes, past the JVM. Driver.

Spark plans, schedules and retries the splits; pyarrow reads and writes the bytes. In comes a job,
out goes a plan, or `NotDirectError` with the reason why the job has to go through Spark's sources.

Invariants: the same rows, order and columns as through Spark; a task attempt writes under its own
name, and only the parts that Spark counts as the tasks' own are published.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tfspark.columns import columns_of
from tfspark.dtypes import sql_name
from tfspark.errors import TfsparkError
from tfspark.package import ModelPackage
from tfspark.schema import Binding, bind, kept_columns
from tfspark.scoring.job import BatchJob, Outcome, Plan
from tfspark.scoring.parts import PartScorer
from tfspark.scoring.path_output import PathOutput
from tfspark.scoring.publish import Output
from tfspark.scoring.splits import Piece, list_files, open_filesystem, plan_splits, read_schema
from tfspark.spark.files import HadoopFiles
from tfspark.spark.options import handle_of
from tfspark.spark.splits import run_splits, task_slots

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Where pyarrow and Spark read the same bytes as the same values. They infer the types of CSV and
# JSON differently, so those go direct only when asked.
SAME_VALUES = ("parquet", "orc")
READABLE = (*SAME_VALUES, "csv", "json")

# What Spark notes in a file whose dates or timestamps are of the Julian calendar, in part.
_JULIAN = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")

_GLOB = re.compile(r"[*?\[\]{}]")


class NotDirectError(TfsparkError):
    """A job that has to go through Spark's sources; the message is the reason."""


def plan_direct(spark: SparkSession, job: BatchJob, package: ModelPackage, output: Output) -> Plan:
    """Return the plan of a job whose tasks read and write files themselves.

    Raises:
        NotDirectError: When input or output do not allow it.
        BindingError: Inputs, outputs and columns do not fit.
    """
    _check_job(job)
    if not isinstance(output, PathOutput):
        raise NotDirectError("a table is Spark's to write")
    root = _uri(spark, job.source.path)
    try:
        source, path = open_filesystem(root)
        open_filesystem(output.staged)
        files = list_files(source, path)
        _check_files(files, path)
        schema = read_schema(source, files[0].path, job.source.format)
    except (OSError, pa.ArrowException) as error:
        raise NotDirectError(str(error)) from error
    kept = kept_columns(schema.names, job.keep)
    binding = bind(
        package.signature,
        columns_of(schema),
        feed=job.feed,
        fetch=job.fetch,
        narrow=job.narrow,
        strings=job.strings,
        on_null=job.options.get("on_null", "null"),
        taken=kept,
    )
    wanted = _wanted(schema, kept, binding)

    def stage() -> Outcome:
        splits = plan_splits(source, files, job.source.format, task_slots(spark))
        task = PartScorer(
            handle=handle_of(spark, package, job.options),
            binding=binding,
            keep=kept,
            batch_size=job.options.get("batch_size"),
            root=root,
            format=job.source.format,
            schema=wanted,
            staged=output.staged,
        )
        return _run(spark, splits, task)

    columns = {name: sql_name(schema.field(name).type) for name in kept}
    columns |= {one.column: sql_name(one.arrow) for one in binding.outputs}
    return Plan(package, output, "direct", columns, stage)


def _run(spark: SparkSession, splits: list[tuple[Piece, ...]], task: PartScorer) -> Outcome:
    """Run the tasks and leave exactly the parts of the counted attempts in the staging folder."""
    target, folder = open_filesystem(task.staged)
    target.create_dir(folder)

    parts = run_splits(spark, splits, task)
    names = {part.name for part in parts if part.name} or {_write_empty(task, target, folder)}
    _keep_only(target, folder, names)
    return Outcome(
        sum(part.rows_in for part in parts),
        sum(part.rows_out for part in parts),
        sum(part.null_rows for part in parts),
        parts[0].versions if parts else {},
    )


def _keep_only(target: fs.FileSystem, folder: str, names: Collection[str]) -> None:
    """Remove what lost attempts left, and mark the folder complete as Spark does."""
    for info in target.get_file_info(fs.FileSelector(folder)):
        if info.base_name not in names:
            target.delete_file(info.path)
    with target.open_output_stream(f"{folder}/_SUCCESS"):
        pass


def _write_empty(task: PartScorer, target: fs.FileSystem, folder: str) -> str:
    """Write a part without rows, so that an output of no rows still has its columns."""
    fields = [task.schema.field(name) for name in task.keep]
    schema = pa.schema([*fields, *task.binding.output_fields])
    name = f"part-00000-{uuid4()}.snappy.parquet"
    with target.open_output_stream(f"{folder}/{name}") as sink:
        pq.write_table(schema.empty_table(), sink)
    return name


def _check_job(job: BatchJob) -> None:
    formats = READABLE if job.path == "direct" else SAME_VALUES
    reasons = [
        (bool(job.source.table), "a table is Spark's to read"),
        (job.source.format not in formats, f"{job.source.format} is read by Spark"),
        (job.target.format != "parquet", f"{job.target.format} is written by Spark"),
        (bool(job.source.options or job.target.options), "options are for Spark's sources"),
        (bool(_GLOB.search(job.source.path)), "a glob is expanded by Spark"),
    ]
    for holds, reason in reasons:
        if holds:
            raise NotDirectError(reason)


def _check_files(files: list[fs.FileInfo], path: str) -> None:
    if not files:
        raise NotDirectError("there is no data file")
    if any("/" in one.path[len(path) :].strip("/") for one in files):
        raise NotDirectError("folders inside are partitions to Spark, or nothing")


def _wanted(schema: pa.Schema, kept: list[str], binding: Binding) -> pa.Schema:
    """Return the columns to read, or refuse those that pyarrow and Spark do not read alike."""
    names = list(dict.fromkeys([*kept, *binding.columns]))
    if len({name.lower() for name in schema.names}) < len(schema.names):
        raise NotDirectError("Spark does not tell column names apart by case")
    if any(note in (schema.metadata or {}) for note in _JULIAN):
        raise NotDirectError("dates of the Julian calendar are Spark's to read")
    for name in names:
        if not _is_plain(schema.field(name).type):
            raise NotDirectError(f"column {name!r} of {schema.field(name).type} is Spark's to read")
    return pa.schema([schema.field(name) for name in names])


def _is_plain(arrow: pa.DataType) -> bool:
    if pa.types.is_nested(arrow):
        return all(_is_plain(arrow.field(index).type) for index in range(arrow.num_fields))
    if pa.types.is_timestamp(arrow):
        return bool(arrow.unit == "us")
    kinds = (
        pa.types.is_boolean,
        pa.types.is_signed_integer,
        pa.types.is_float32,
        pa.types.is_float64,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_date32,
        pa.types.is_decimal128,
    )
    return any(kind(arrow) for kind in kinds)


def _uri(spark: SparkSession, path: str) -> str:
    """Return a path as a URI of the file system that Spark takes it to be on."""
    return HadoopFiles(spark, path).uri(path)
