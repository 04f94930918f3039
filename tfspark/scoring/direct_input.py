"""Opens the input of the direct path, or gives the reason why Spark must read it. Driver.

Spark reads everything that pyarrow might read differently: tables, globs, partition folders, text
formats, session settings that change how files are read, and columns of types that pyarrow would
change.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import fs

from tfspark.data_files.conform import differ_by_case, nullable
from tfspark.data_files.exact_types import changed_columns, fields_of, spark_fields
from tfspark.data_files.footers import (
    WITH_FOOTERS,
    Footer,
    later_columns,
    read_footer,
    read_footers,
    refuse_empty,
    refuse_missing,
    refuse_other_types,
)
from tfspark.data_files.listing import DataFile, list_files
from tfspark.data_files.record_files import record_schema
from tfspark.data_files.spark_only import why_orc, why_parquet
from tfspark.errors import InvalidInputError, TfsparkError
from tfspark.file_systems import SUMMARIES, is_hidden, open_filesystem
from tfspark.scoring.job import BatchJob
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.reading import read_path
from tfspark.spark.cluster.settings import decrypts, set_on_classic

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Formats whose files the tasks read like Spark.
SAME_AS_SPARK = (*WITH_FOOTERS, "tfrecord")
# Read by pyarrow only on request, because Spark infers the types of CSV and JSON differently.
READABLE = (*SAME_AS_SPARK, "csv", "json")

_GLOB = re.compile(r"[*?\[\]{}\\]")
# With one of these settings, a session reads or writes files differently.
_SETTINGS = re.compile(
    r"spark\.sql\.(parquet|orc|files\.ignore|caseSensitive|legacy\.(parquet|avro|file))"
)
# Other extensions may filter or mask the rows of files.
_EXTENSIONS = {
    "io.delta.sql.DeltaSparkSessionExtension",
    "io.tfspark.TfSparkExtensions",
    "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
}
# The log of a stream that writes to a folder; Spark reads only the files that it names.
_STREAM_LOG = "_spark_metadata"


class NotDirectError(TfsparkError):
    """A job that has to go through Spark's sources; the message is the reason."""


@dataclass(frozen=True)
class DirectInput:
    """Files that tasks can read without Spark.

    Attributes:
        root: URI of the input, which opens its file system.
        filesystem: The file system of the files.
        format: The format of the files.
        files: The files, sorted by name.
        footers: The footers of all files, or of the first ones if there are many.
        schema: The columns of the first file; like Spark, they count for all files.
        changed: Column → its type, for the columns that pyarrow would change.
    """

    root: str
    filesystem: fs.FileSystem
    format: str
    files: list[DataFile]
    footers: list[Footer]
    schema: pa.Schema
    changed: Mapping[str, str]

    def check_columns(self, names: Collection[str], job: BatchJob) -> None:
        """Check the columns that are read.

        Raises:
            NotDirectError: When only Spark reads one of them correctly.
            InvalidInputError: When a file lacks a column, or has another type.
        """
        if self.format in WITH_FOOTERS:
            self._compare_files(names, job)
        for name in names:
            if name in self.changed:
                raise NotDirectError(f"column {name!r} is {self.changed[name]}")

    def _compare_files(self, names: Collection[str], job: BatchJob) -> None:
        if not job.allow_missing:
            refuse_missing(self.footers, None if job.keep is None else names)
        elif later_columns(self.footers) or len(self.footers) < len(self.files):
            raise NotDirectError("files with different columns are merged by Spark")
        try:
            refuse_other_types(self.footers, names)
        except InvalidInputError as error:
            if job.path == "direct":
                raise
            raise NotDirectError(str(error)) from error  # Spark may read it as a wider type

    def explain_unbound(self, job: BatchJob) -> None:
        """Explain why columns do not bind: the first file may lack columns of the others.

        Raises:
            NotDirectError: When Spark knows more columns.
            InvalidInputError: Names the file.
        """
        later = later_columns(self.footers)
        if later and not job.allow_missing:
            refuse_missing(self.footers, later)
        if later or self.changed or any(pa.types.is_struct(kind) for kind in self.schema.types):
            raise NotDirectError("Spark knows columns that the first file lacks")


def open_input(spark: SparkSession, job: BatchJob) -> DirectInput:
    """List the files of a job's input and read their footers.

    Raises:
        NotDirectError: When Spark has to read it.
        InvalidInputError: When a file is broken.
    """
    kind = job.source.format
    root = HadoopFiles(spark, job.source.path).uri(job.source.path)
    try:
        filesystem, path = open_filesystem(root)
        files = list_files(filesystem, path)
        log = filesystem.get_file_info(f"{path}/{_STREAM_LOG}")
    except (OSError, pa.ArrowException) as error:
        raise NotDirectError(str(error)) from error
    if log.type != fs.FileType.NotFound:
        raise NotDirectError("a stream wrote the folder, and Spark knows which files are complete")
    _check_files(files, path)
    refuse_empty(files, kind)
    footers = _footers(filesystem, files, job)
    schema = nullable(footers[0].schema)
    if any(differ_by_case(footer.schema.names) for footer in footers):
        raise NotDirectError("two columns have names that differ only in case")
    fields = spark_fields(footers[0])
    if kind == "orc":
        fields = fields_of(read_path(spark, job.source.path, kind, {}).schema.json())
    if fields is not None and list(fields) != schema.names:
        raise NotDirectError("Spark's schema in the first file has other columns than the file")
    changed = changed_columns(footers[0], fields)
    return DirectInput(root, filesystem, kind, files, footers, schema, changed)


def check_session(spark: SparkSession, job: BatchJob) -> None:
    """Refuse a job or a session with settings that only Spark supports.

    Raises:
        NotDirectError: With the reason.
    """
    formats = READABLE if job.path == "direct" else SAME_AS_SPARK
    settings = [name for name in set_on_classic(spark) if _SETTINGS.match(name)]
    given = str(spark.conf.get("spark.sql.extensions", "") or "").split(",")
    extensions = {name.strip() for name in given if name.strip()} - _EXTENSIONS
    reasons = [
        (bool(job.source.table), "only Spark can read tables"),
        (job.source.format not in formats, f"{job.source.format} is read by Spark"),
        (job.target.format != "parquet", f"{job.target.format} is written by Spark"),
        (bool(job.source.options or job.target.options), "options are for Spark's sources"),
        (bool(job.target.partition_by), "partitions are written by Spark"),
        (bool(_GLOB.search(job.source.path)), "a glob is expanded by Spark"),
        (bool(settings), f"the session sets {', '.join(settings)}"),
        (bool(extensions), f"{', '.join(sorted(extensions))} may change what Spark reads"),
        (decrypts(spark), "the session reads or writes encrypted files"),
    ]
    for holds, reason in reasons:
        if holds:
            raise NotDirectError(reason)


def _check_files(files: list[DataFile], path: str) -> None:
    if not files:
        raise NotDirectError("there is no data file")
    if files[0].path == path and is_hidden(path.rpartition("/")[2]):
        raise NotDirectError("Spark ignores hidden files")
    names = [file.path[len(path) :].strip("/") for file in files]
    if any("/" in name for name in names):
        raise NotDirectError("Spark reads the folders inside as partitions, or ignores them")
    if any(name.startswith(SUMMARIES) for name in names):
        raise NotDirectError("Spark reads the schema of the folder from its summary file")


def _footers(filesystem: fs.FileSystem, files: list[DataFile], job: BatchJob) -> list[Footer]:
    kind = job.source.format
    try:
        if kind == "tfrecord":
            return [Footer(files[0], record_schema(filesystem, files))]
        if kind not in WITH_FOOTERS:
            return [read_footer(filesystem, files[0], kind)]
        footers = read_footers(filesystem, files, kind)
    except InvalidInputError as error:
        if job.path == "direct":
            raise
        raise NotDirectError(str(error)) from error  # Spark may be able to read it
    for footer in footers:
        if kind == "parquet":
            reason = why_parquet(footer.schema, encrypted=footer.is_encrypted)
        else:
            reason = why_orc(footer.schema, footers[0].schema)
        if reason:
            raise NotDirectError(f"only Spark reads {footer.file.path} correctly: {reason}")
    return footers
