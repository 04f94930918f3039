"""Reads the footers of the files of a dataset: columns, rows, row groups. Driver.

The footers of Parquet and ORC files are read before any task runs, so that a broken file, a missing
column or another schema is detected early. Text files have no footer: only the columns of one file
are known. No Spark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tfspark.data_files.conform import check_holds
from tfspark.data_files.listing import DataFile
from tfspark.data_files.spark_only import is_encrypted
from tfspark.errors import InvalidInputError, explain, listing

WITH_FOOTERS = ("parquet", "orc")
# The ending of a file's name → the format of the file.
_SUFFIXES = {
    "parquet": "parquet",
    "orc": "orc",
    "csv": "csv",
    "json": "json",
    "jsonl": "json",
    "avro": "avro",
    "tfrecord": "tfrecord",
    "tfrecords": "tfrecord",
}
# Footers are read on the driver up to this many files; the tasks check the others.
MAX_FOOTERS = 256
# The Arrow type of Spark's timestamps, also for an INT96.
INSTANT = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Group:
    """A row group of a Parquet file, or a stripe of an ORC file.

    Attributes:
        bytes: Size on disk.
        rows: Number of rows; `None` if pyarrow does not return it.
    """

    bytes: int
    rows: int | None


@dataclass(frozen=True)
class Footer:
    """The description that one file contains.

    Attributes:
        file: The file.
        schema: Its columns, with the metadata from its writer.
        groups: The row groups or stripes, in order.
        metadata: The whole footer of a Parquet file; `None` for other formats.
        is_encrypted: Whether it has encrypted columns. pyarrow ends the process when one of them is
            described.
    """

    file: DataFile
    schema: pa.Schema
    groups: tuple[Group, ...] = ()
    metadata: pq.FileMetaData | None = None
    is_encrypted: bool = False


def read_footers(
    filesystem: fs.FileSystem, files: Sequence[DataFile], file_format: str
) -> list[Footer]:
    """Return the footers of files; only of the first ones if there are many.

    Raises:
        InvalidInputError: When a file is empty, or not a file of the format; names it.
    """
    with ThreadPoolExecutor(16) as pool:
        return list(
            pool.map(lambda file: read_footer(filesystem, file, file_format), files[:MAX_FOOTERS])
        )


def read_footer(filesystem: fs.FileSystem, file: DataFile, file_format: str) -> Footer:
    """Return the footer of one file; for a text file, the columns that pyarrow finds.

    Raises:
        InvalidInputError: When it is not a file of that format.
    """
    try:
        with filesystem.open_input_file(file.path) as source:
            if file_format == "parquet":
                opened = pq.ParquetFile(source)
                return _parquet_footer(file, opened, is_encrypted(source, opened.metadata))
            if file_format == "orc":
                from pyarrow import orc

                return _orc_footer(file, orc.ORCFile(source))
            return Footer(file, _text_schema(source, file_format))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file.path, file_format, error) from error


def refuse_empty(files: Iterable[DataFile], file_format: str) -> None:
    """Refuse empty files; writers of Parquet and ORC never create them.

    Raises:
        InvalidInputError: Names the first one.
    """
    empty = [file.path for file in files if not file.size and file_format in WITH_FOOTERS]
    if empty:
        raise InvalidInputError(
            explain(
                f"The input file {empty[0]} is empty: its rows are missing."
                + (f" {len(empty) - 1} more input files are empty." if empty[1:] else ""),
                expected=f"a {file_format} file, which has a footer even without rows",
                found="0 bytes",
                hint="write the file again, or remove it if it never had rows.",
            )
        )


def unreadable(path: str, file_format: str, error: BaseException) -> InvalidInputError:
    """Return the error of a file that is broken or of another format."""
    return InvalidInputError(
        explain(
            f"The input file {path} cannot be read as {file_format}.",
            found=str(error).partition("\n")[0],
            hint=_other_format(path, file_format)
            or "write the file again, or remove it from the input.",
        )
    )


def _other_format(path: str, file_format: str) -> str:
    """Return a hint if the name of a file suggests another format; otherwise nothing."""
    words = path.rpartition("/")[2].lower().split(".")[1:]
    named = [_SUFFIXES[word] for word in words if word in _SUFFIXES]
    if not named or file_format in named:
        return ""
    return f"it has the name of a {named[-1]} file: add --input-format {named[-1]}."


def later_columns(footers: Sequence[Footer], known: Collection[str] | None = None) -> list[str]:
    """Return the columns of the files that are not among the known columns.

    Args:
        footers: The footers of all files, or of the first ones.
        known: The known columns; by default those of the first file.
    """
    folded = {name.lower() for name in (footers[0].schema.names if known is None else known)}
    found = {name.lower(): name for footer in footers for name in footer.schema.names}
    return [name for lowered, name in found.items() if lowered not in folded]


def refuse_missing(footers: Sequence[Footer], names: Collection[str] | None = None) -> None:
    """Refuse a file that lacks a column which another file has.

    Args:
        footers: The footers of all files, or of the first ones.
        names: The columns to check; by default all.

    Raises:
        InvalidInputError: Names the file and the missing columns.
    """
    first = footers[0]
    for footer in _unlike(footers):
        for one, other in ((footer, first), (first, footer)):
            lacking = list(missing_in(one.schema, _among(other.schema, names)))
            if lacking:
                raise missing_columns(one.file.path, lacking)


def refuse_other_types(footers: Sequence[Footer], names: Collection[str] | None = None) -> None:
    """Refuse a file with a column whose values may not fit the type in the first file.

    Args:
        footers: The footers of all files, or of the first ones.
        names: The columns to check; by default all.

    Raises:
        InvalidInputError: Names the file and the column.
    """
    first = {field.name.lower(): field for field in footers[0].schema}
    for footer in _unlike(footers):
        for field in _among(footer.schema, names):
            wanted = first.get(field.name.lower())
            if wanted is not None:
                check_holds(wanted, field.type, footer.file.path)


def _unlike(footers: Sequence[Footer]) -> Iterator[Footer]:
    """Yield the files whose columns differ from those of the first file."""
    return (footer for footer in footers if not footer.schema.equals(footers[0].schema))


def _among(schema: pa.Schema, names: Collection[str] | None) -> Iterator[pa.Field[Any]]:
    """Yield the fields with these names, in any case; by default all."""
    wanted = None if names is None else {name.lower() for name in names}
    return (field for field in schema if wanted is None or field.name.lower() in wanted)


def missing_in(fields: Any, wanted: Iterable[pa.Field[Any]], within: str = "") -> Iterator[str]:
    """Yield the missing columns and fields of structs."""
    there = {field.name.lower(): field for field in fields}
    for field in wanted:
        found = there.get(field.name.lower())
        if found is None:
            yield f"{within}{field.name}"
        elif pa.types.is_struct(field.type) and pa.types.is_struct(found.type):
            yield from missing_in(found.type, field.type, f"{within}{field.name}.")


def missing_columns(path: str, names: Sequence[str]) -> InvalidInputError:
    """Return the error of a file that lacks columns of another file."""
    return InvalidInputError(
        explain(
            f"The input file {path} lacks {listing(names)}.",
            expected="the columns of the other files",
            hint="write the file again with all columns, or allow nulls in their place with "
            "--allow-missing.",
        )
    )


def _parquet_footer(file: DataFile, opened: pq.ParquetFile, is_encrypted: bool) -> Footer:
    metadata = opened.metadata
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    return Footer(
        file,
        _with_instants(opened),
        tuple(Group(group.total_byte_size, group.num_rows) for group in groups),
        metadata,
        is_encrypted,
    )


def _text_schema(source: Any, file_format: str) -> pa.Schema:
    if file_format == "csv":
        from pyarrow import csv

        return csv.open_csv(source).schema
    from pyarrow import json as json_lines

    return json_lines.open_json(source).schema


def _orc_footer(file: DataFile, opened: Any) -> Footer:
    stripes = opened.nstripes
    rows = opened.nrows if stripes == 1 else None
    return Footer(file, opened.schema, (Group(file.size // max(stripes, 1), rows),) * stripes)


def instants_in(schema: pq.ParquetSchema) -> list[str]:
    """Return the columns of INT96, Spark's timestamp; without those in lists or structs."""
    leaves = [schema.column(index) for index in range(len(schema))]
    return [
        leaf.name for leaf in leaves if leaf.physical_type == "INT96" and leaf.path == leaf.name
    ]


def _with_instants(file: pq.ParquetFile) -> pa.Schema:
    """Return a schema with each INT96 as a timestamp in microseconds."""
    schema = file.schema_arrow
    for name in instants_in(file.schema):
        schema = schema.set(schema.get_field_index(name), pa.field(name, INSTANT))
    return schema
