"""Lets the tasks of `predict` read Parquet files themselves if the result is the same. Driver.

Otherwise Spark turns each row into Arrow for Python, which costs more than a small model. The rows,
the partitions and the estimated size stay as they are. The driver looks at Spark's plan, at its
list of files, and at the footers of the files; no job runs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyarrow import fs
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from tfspark.data_files.conform import nullable
from tfspark.data_files.exact_types import arrow_name, changed_columns
from tfspark.data_files.footers import Footer, read_footer
from tfspark.data_files.listing import DataFile, states
from tfspark.data_files.parquet_rows import leaves_in
from tfspark.data_files.spark_only import FIRST_GREGORIAN, spark_version, why_parquet
from tfspark.data_files.splits import Piece
from tfspark.errors import InvalidInputError
from tfspark.schema import Binding
from tfspark.spark.cluster.file_partitions import Limits, RowGroup, partitions_of, row_groups
from tfspark.spark.cluster.plain_read import NotPlainError, plain_read
from tfspark.spark.cluster.task_rows import task_rows
from tfspark.spark.fed_frame import FedFrame
from tfspark.spark.worker.file_scorer import SETTING, FileScorer, is_as_listed
from tfspark.spark.worker.partition_scorer import PartitionScorer

_log = logging.getLogger(__name__)

# Column chunks in the footers of all files. More would make `predict` slow: 5 µs each.
MAX_CHUNKS = 100_000
# A method of Spark is missing or differs. py4j takes a missing class for a package, and calling a
# package is a TypeError.
_MISSING = (Py4JError, PySparkException, AttributeError, TypeError)
# `explain()` shows this name of a column.
_COLUMN = "files_read_by_python"

# Arrow has several types for some types of Spark; a result may have only the one that Spark uses.
_OTHER_FORMS = re.compile("large_|fixed_size_list")


@dataclass(frozen=True)
class FileFrame:
    """A frame whose tasks read their files themselves.

    Attributes:
        rows: One row for each partition: its number.
        partitions: The pieces of each partition.
        schema: The columns to read, each once.
        positions: Column that a task needs → its position in `schema`.
    """

    rows: DataFrame
    partitions: Sequence[tuple[Piece, ...]]
    schema: pa.Schema
    positions: Sequence[int]

    def scored(self, scorer: PartitionScorer, result: StructType) -> DataFrame:
        """Return the scored rows."""
        task = FileScorer(scorer, self.partitions, self.schema, self.positions)

        def read_parquet_and_score(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            return task(batches)  # Spark requires a function; `explain()` shows its name

        return self.rows.mapInArrow(read_parquet_and_score, result)


def file_frame(fed: FedFrame, bindings: Sequence[Binding]) -> FileFrame | None:
    """Return the frame that reads its own files; `None` if Spark has to read the rows.

    Args:
        fed: The frame.
        bindings: The columns that feed the models.
    """
    try:
        found = _file_frame(fed, bindings)
    except NotPlainError as error:
        _log.debug("Spark reads the rows of this DataFrame for Python: %s", error)
        return None
    except _MISSING as error:
        _log.info(
            "Spark reads the rows of this DataFrame for Python, because an internal method of "
            "Spark is missing or differs: %s",
            type(error).__name__,
        )
        return None
    files = {piece.file.path for pieces in found.partitions for piece in pieces}
    _log.info("the tasks read the %d Parquet files of this DataFrame themselves", len(files))
    return found


def _file_frame(fed: FedFrame, bindings: Sequence[Binding]) -> FileFrame:
    _check_allowed(fed)
    passed = fed.passed(bindings)
    if not passed:
        raise NotPlainError("no column is read")
    frame = fed.numbered(passed)
    read = plain_read(frame)
    fields = [fed.frame.schema[position] for position in passed]
    types = {
        name: field.dataType.simpleString()
        for name, field in zip(read.columns, fields, strict=True)
    }
    limits = Limits.of(frame.sparkSession)
    source = fs.LocalFileSystem()
    try:
        schema, groups = _footers(source, read.files, types, limits.range_bytes(read.files))
    except InvalidInputError as error:  # Spark explains it when the rows are read
        raise NotPlainError("a file is broken") from error
    now = states(source, [file.path for file in read.files])
    if not all(map(is_as_listed, now, read.files)):
        raise NotPlainError("a file has changed since Spark listed it")
    partitions = partitions_of(read.files, limits, groups)
    rows = task_rows(frame, len(partitions), _COLUMN)
    return FileFrame(rows, partitions, schema, [schema.names.index(name) for name in read.columns])


def _check_allowed(fed: FedFrame) -> None:
    if not hasattr(fed.frame, "_jdf"):
        raise NotPlainError("Spark Connect does not show its plans")
    if str(fed.frame.sparkSession.conf.get(SETTING, "true")).lower() == "false":
        raise NotPlainError(f"the session sets {SETTING}=false")
    if fed.added:
        raise NotPlainError("an expression feeds the model")


def _footers(
    source: fs.FileSystem, files: Sequence[DataFile], types: Mapping[str, str], range_bytes: int
) -> tuple[pa.Schema, dict[DataFile, list[RowGroup]]]:
    """Return the columns to read, and the row groups of each file, if Spark reads them equally.

    The footers of wide tables are large, so only the first one is kept.

    Raises:
        NotPlainError: With the reason.
        InvalidInputError: When a file is broken.
    """
    first = read_footer(source, files[0], "parquet")
    assert first.metadata is not None
    chunks = first.metadata.num_columns * first.metadata.num_row_groups * len(files)
    if chunks > MAX_CHUNKS:
        raise NotPlainError(f"its footers describe more than {MAX_CHUNKS} column chunks")
    schema = _columns(first, types)

    def checked(file: DataFile) -> list[RowGroup]:
        footer = read_footer(source, file, "parquet")
        _check(footer, first, types)
        assert footer.metadata is not None
        return row_groups(footer.metadata, is_cut=file.size > range_bytes)

    with ThreadPoolExecutor(16) as pool:
        return schema, dict(zip(files, pool.map(checked, files), strict=True))


def _check(footer: Footer, first: Footer, types: Mapping[str, str]) -> None:
    """Check that a file has the columns with the types that Spark has.

    Raises:
        NotPlainError: With the reason.
    """
    if reason := why_parquet(footer.schema, encrypted=footer.is_encrypted):
        raise NotPlainError(f"only Spark reads {footer.file.path} correctly: {reason}")
    has_times = any("date" in kind or "timestamp" in kind for kind in types.values())
    if has_times and (spark_version(footer.schema) or (0, 0)) < FIRST_GREGORIAN:
        raise NotPlainError("the calendar of dates and times in a file is unknown")
    assert footer.metadata is not None
    assert first.metadata is not None
    if not footer.metadata.schema.equals(first.metadata.schema) or footer.schema != first.schema:
        _columns(footer, types)
    _check_codecs(footer, types)


def _check_codecs(footer: Footer, types: Mapping[str, str]) -> None:
    """Check that pyarrow can decompress the columns; Spark has codecs of its own, such as LZO."""
    metadata = footer.metadata
    assert metadata is not None
    wanted = {name.lower() for name in types}
    names = {name for name in footer.schema.names if name.lower() in wanted}
    leaves = leaves_in(footer.schema, metadata.num_columns, names)
    codecs = {
        metadata.row_group(index).column(leaf).compression
        for index in range(metadata.num_row_groups)
        for leaf in leaves
    }
    for codec in codecs:
        if not _has_codec(codec):
            raise NotPlainError(f"pyarrow cannot decompress {codec}")


def _has_codec(name: Any) -> bool:
    try:
        return name == "UNCOMPRESSED" or bool(pa.Codec.is_available(name.lower()))
    except ValueError:  # pyarrow does not know the name
        return False


def _columns(footer: Footer, types: Mapping[str, str]) -> pa.Schema:
    """Return the columns with these types of one file."""
    there = {field.name.lower(): field for field in footer.schema}
    if len(there) < len(footer.schema):
        raise NotPlainError("a file has columns whose names differ only in case")
    changed = changed_columns(footer, None)
    fields = []
    for name, kind in types.items():
        field = there.get(name.lower())
        if field is None:
            raise NotPlainError(f"{footer.file.path} lacks column {name!r}")
        is_same = arrow_name(field.type) == kind and field.name not in changed
        if not is_same or _OTHER_FORMS.search(str(field.type)):
            raise NotPlainError(f"column {name!r} of {footer.file.path} is {field.type}")
        fields.append(field.with_name(name))
    return nullable(pa.schema(fields))
