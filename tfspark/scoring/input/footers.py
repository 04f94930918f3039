"""What the files of a dataset say of themselves: columns, rows, row groups. Driver.

The footers of Parquet and ORC files are read before any task runs, so that a broken file, a missing
column or another schema is found early and named. Text files have no footer: only the columns of
one file are known. No Spark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv, fs, orc
from pyarrow import json as json_lines

from tfspark.errors import InvalidInputError, explain, listing
from tfspark.scoring.input.conform import check_holds
from tfspark.scoring.input.listing import DataFile

WITH_FOOTERS = ("parquet", "orc")
# Footers are read on the driver up to this many files; the tasks check the others.
MAX_FOOTERS = 256
# What Spark's timestamps are to Arrow, in an INT96 as well.
INSTANT = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Group:
    """A row group of a Parquet file, or a stripe of an ORC file.

    Attributes:
        bytes: Size on disk.
        rows: `None` where pyarrow does not tell.
    """

    bytes: int
    rows: int | None


@dataclass(frozen=True)
class Footer:
    """What one file says of itself.

    Attributes:
        file: The file.
        schema: Its columns; the metadata is what its writer noted.
        groups: In order.
        parquet: The schema in Parquet's own terms; `None` for another format.
    """

    file: DataFile
    schema: pa.Schema
    groups: tuple[Group, ...] = ()
    parquet: pq.ParquetSchema | None = None


def read_footers(
    filesystem: fs.FileSystem, files: Sequence[DataFile], file_format: str
) -> list[Footer]:
    """Return the footers of files, of the first ones where there are many.

    Raises:
        InvalidInputError: When a file is empty, or is no file of the format; names it.
    """
    with ThreadPoolExecutor(16) as pool:
        return list(
            pool.map(lambda file: read_footer(filesystem, file, file_format), files[:MAX_FOOTERS])
        )


def read_footer(filesystem: fs.FileSystem, file: DataFile, file_format: str) -> Footer:
    """Return the footer of one file; for a text file the columns that pyarrow finds in it.

    Raises:
        InvalidInputError: When it is no file of that format.
    """
    try:
        with filesystem.open_input_file(file.path) as source:
            if file_format == "parquet":
                return _parquet_footer(file, pq.ParquetFile(source))
            if file_format == "orc":
                return _orc_footer(file, orc.ORCFile(source))
            stream: Any = source
            reader = csv.open_csv if file_format == "csv" else json_lines.open_json
            return Footer(file, reader(stream).schema)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(file.path, file_format, error) from error


def refuse_empty(files: Iterable[DataFile], file_format: str) -> None:
    """Refuse files of no bytes, which no writer of Parquet or ORC leaves behind.

    Raises:
        InvalidInputError: Names the first one.
    """
    empty = [file.path for file in files if not file.size and file_format in WITH_FOOTERS]
    if empty:
        raise InvalidInputError(
            explain(
                f"The input file {empty[0]} is empty: its rows are missing."
                + (f" So are those of {len(empty) - 1} more." if empty[1:] else ""),
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
            hint="write the file again, or remove it from the input.",
        )
    )


def later_columns(footers: Sequence[Footer]) -> list[str]:
    """Return the columns that the first file lacks."""
    first = {name.lower() for name in footers[0].schema.names}
    found = {name.lower(): name for footer in _unlike(footers) for name in footer.schema.names}
    return [name for folded, name in found.items() if folded not in first]


def refuse_missing(footers: Sequence[Footer], names: Collection[str] | None = None) -> None:
    """Refuse a file that lacks a column which another file has.

    Args:
        footers: Of all files, or of the first ones.
        names: The columns that matter; by default all.

    Raises:
        InvalidInputError: Names the file and what it lacks.
    """
    first = footers[0]
    for footer in _unlike(footers):
        for one, other in ((footer, first), (first, footer)):
            lacking = list(missing_in(one.schema, _among(other.schema, names)))
            if lacking:
                raise lacks(one.file.path, lacking)


def refuse_other_types(footers: Sequence[Footer], names: Collection[str] | None = None) -> None:
    """Refuse a file with a column of a type that the first file's cannot hold.

    Args:
        footers: Of all files, or of the first ones.
        names: The columns that matter; by default all.

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
    """Yield the files that have not the very columns of the first."""
    return (footer for footer in footers if not footer.schema.equals(footers[0].schema))


def _among(schema: pa.Schema, names: Collection[str] | None) -> Iterator[pa.Field[Any]]:
    """Yield the fields of these names, in any case; by default all."""
    wanted = None if names is None else {name.lower() for name in names}
    return (field for field in schema if wanted is None or field.name.lower() in wanted)


def missing_in(fields: Any, wanted: Iterable[pa.Field[Any]], within: str = "") -> Iterator[str]:
    """Yield the columns, and fields of structs, that are wanted and not there."""
    there = {field.name.lower(): field for field in fields}
    for field in wanted:
        found = there.get(field.name.lower())
        if found is None:
            yield f"{within}{field.name}"
        elif pa.types.is_struct(field.type) and pa.types.is_struct(found.type):
            yield from missing_in(found.type, field.type, f"{within}{field.name}.")


def lacks(path: str, names: Sequence[str]) -> InvalidInputError:
    """Return the error of a file that lacks columns which another file has."""
    return InvalidInputError(
        explain(
            f"The input file {path} lacks {listing(names)}.",
            expected="the columns of the other files",
            hint="write the file again with all columns, or allow nulls in their place with "
            "--allow-missing.",
        )
    )


def _parquet_footer(file: DataFile, opened: pq.ParquetFile) -> Footer:
    metadata = opened.metadata
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    return Footer(
        file,
        _with_instants(opened),
        tuple(Group(group.total_byte_size, group.num_rows) for group in groups),
        opened.schema,
    )


def _orc_footer(file: DataFile, opened: orc.ORCFile) -> Footer:
    stripes = opened.nstripes
    rows = opened.nrows if stripes == 1 else None
    return Footer(file, opened.schema, (Group(file.size // max(stripes, 1), rows),) * stripes)


def instants_in(schema: pq.ParquetSchema) -> list[str]:
    """Return the columns of INT96, Spark's timestamp; not those within a list or struct."""
    leaves = [schema.column(index) for index in range(len(schema))]
    return [
        leaf.name for leaf in leaves if leaf.physical_type == "INT96" and leaf.path == leaf.name
    ]


def _with_instants(file: pq.ParquetFile) -> pa.Schema:
    """Return a schema in which an INT96 is a timestamp in microseconds, too."""
    schema = file.schema_arrow
    for name in instants_in(file.schema):
        schema = schema.set(schema.get_field_index(name), pa.field(name, INSTANT))
    return schema
