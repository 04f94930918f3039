"""Files of a dataset, cut into splits that tasks read by themselves. Driver and executor.

In comes a path or URI, out go splits of similar size and, on an executor, their record batches,
read by pyarrow: only the columns wanted, a few megabytes at a time. No Spark, no TensorFlow.

Invariants: splits keep the order of the sorted file names and of the row groups in them, and every
row group is in exactly one; files and folders whose names begin with `_` or `.` are passed over,
as Spark's readers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv, fs, orc
from pyarrow import json as json_lines

from tfspark.errors import BindingError, explain

# Spark's own `spark.sql.files.maxPartitionBytes`.
SPLIT_BYTES = 128 << 20
# Uncompressed bytes of the wanted columns that one read aims at.
READ_BYTES = 4 << 20
# Footers are read on the driver up to this many files; beyond, a split holds whole files.
MAX_FOOTERS = 256


@dataclass(frozen=True)
class Piece:
    """A file, or some of its row groups.

    Attributes:
        path: Within the file system.
        bytes: Size on disk.
        row_groups: Parquet row groups or ORC stripes; `None` for the whole file.
    """

    path: str
    bytes: int
    row_groups: tuple[int, ...] | None = None


def open_filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of an escaped URI and the path within it.

    pyarrow's own file systems come first, then whatever fsspec has installed.

    Raises:
        OSError: When neither reaches it.
    """
    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri)
        return found
    except (pa.ArrowException, OSError, ValueError) as error:
        try:
            fsspec: Any = import_module("fsspec")
            opened, path = fsspec.core.url_to_fs(unquote(uri))
        except (ImportError, ValueError) as other:
            raise OSError(f"neither pyarrow nor fsspec reaches {uri}: {error}; {other}") from error
        handler: Any = fs.FSSpecHandler
        return fs.PyFileSystem(handler(opened)), str(path)


def list_files(filesystem: fs.FileSystem, path: str) -> list[fs.FileInfo]:
    """Return the non-empty data files at a path, sorted by name."""
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.File:
        return [info]
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    found = [
        one
        for one in filesystem.get_file_info(selector)
        if one.type == fs.FileType.File
        and one.size
        and not any(part[0] in "_." for part in one.path[len(path) :].strip("/").split("/"))
    ]
    return sorted(found, key=lambda one: one.path)


def plan_splits(
    filesystem: fs.FileSystem, files: Sequence[fs.FileInfo], file_format: str, slots: int
) -> list[tuple[Piece, ...]]:
    """Cut files into splits: as many as there are task slots, or that many times more.

    A last wave that fills some of the slots only would leave the others idle for a task's time.

    Args:
        filesystem: Where the files are.
        files: As `list_files` returns them.
        file_format: parquet, orc, csv or json; the first two are cut inside of files.
        slots: Tasks that run at the same time.
    """
    if file_format in ("parquet", "orc") and len(files) <= MAX_FOOTERS:
        with ThreadPoolExecutor(16) as pool:
            cut = pool.map(lambda one: _cut(filesystem, one, file_format), files)
            pieces = [piece for several in cut for piece in several]
    else:
        pieces = [Piece(one.path, one.size or 0) for one in files]
    total = sum(piece.bytes for piece in pieces)
    waves = max(-(-total // (SPLIT_BYTES * slots)), 1)
    count = min(slots * waves, len(pieces))
    return _pack(pieces, total, count)


def _cut(filesystem: fs.FileSystem, file: fs.FileInfo, file_format: str) -> list[Piece]:
    if file_format == "parquet":
        with filesystem.open_input_file(file.path) as source:
            metadata = pq.read_metadata(source)
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        return [
            Piece(file.path, group.total_byte_size, (index,)) for index, group in enumerate(groups)
        ]
    with filesystem.open_input_file(file.path) as source:
        stripes = orc.ORCFile(source).nstripes
    return [
        Piece(file.path, (file.size or 0) // max(stripes, 1), (index,)) for index in range(stripes)
    ]


def _pack(pieces: Sequence[Piece], total: int, count: int) -> list[tuple[Piece, ...]]:
    """Deal pieces out in order, so that each split ends where its share of the bytes does."""
    splits: list[list[Piece]] = [[] for _ in range(count)]
    before = 0
    for piece in pieces:
        middle = before + piece.bytes / 2
        splits[min(int(middle * count / max(total, 1)), count - 1)].append(piece)
        before += piece.bytes
    return [tuple(split) for split in splits if split]


def read_schema(filesystem: fs.FileSystem, path: str, file_format: str) -> pa.Schema:
    """Return the Arrow schema of one file, and what its writer noted as the schema's metadata."""
    with filesystem.open_input_file(path) as source:
        if file_format == "parquet":
            return _parquet_schema(pq.ParquetFile(source))
        if file_format == "orc":
            return orc.ORCFile(source).schema
        stream: Any = source
        if file_format == "csv":
            return csv.open_csv(stream).schema
        return json_lines.open_json(stream).schema


def _parquet_schema(file: pq.ParquetFile) -> pa.Schema:
    """Return a schema in which INT96, Spark's timestamp, is one in microseconds too.

    Only where it is a column by itself: within a list or struct it stays one in nanoseconds.
    """
    schema = file.schema_arrow
    for index in range(len(file.schema)):
        leaf = file.schema.column(index)
        if leaf.physical_type == "INT96" and leaf.path == leaf.name:
            instant = pa.field(leaf.name, pa.timestamp("us", "UTC"))
            schema = schema.set(schema.get_field_index(leaf.name), instant)
    return schema


def read_batches(
    filesystem: fs.FileSystem, piece: Piece, file_format: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Read the columns of a schema from one piece.

    Yields:
        Record batches of that schema. As in Spark a column that the file lacks comes as null, and
        its names may differ in case.

    Raises:
        BindingError: When a column of the file is of a type that the schema's cannot hold.
    """
    with filesystem.open_input_file(piece.path) as source:
        for batch in _raw_batches(source, piece, file_format, schema):
            yield batch if batch.schema.equals(schema) else _conform(batch, schema, piece.path)


def _raw_batches(
    source: Any, piece: Piece, file_format: str, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    if file_format == "parquet":
        yield from _parquet_batches(source, piece, schema.names)
    elif file_format == "orc":
        file = orc.ORCFile(source)
        there = list(_names_in(file.schema.names, schema.names).values())
        for stripe in piece.row_groups or range(file.nstripes):
            yield file.read_stripe(stripe, columns=there)
    elif file_format == "csv":
        yield from csv.open_csv(
            source,
            convert_options=csv.ConvertOptions(
                column_types=schema,
                include_columns=schema.names,
                include_missing_columns=True,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    else:
        options = json_lines.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        )
        yield from json_lines.open_json(source, parse_options=options)


def _parquet_batches(source: Any, piece: Piece, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    file = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
    there = list(_names_in(file.schema_arrow.names, names).values())
    fed = set(there)
    groups = piece.row_groups or range(file.metadata.num_row_groups)
    for index in groups:
        group = file.metadata.row_group(index)
        wanted = sum(
            group.column(position).total_uncompressed_size
            for position in range(group.num_columns)
            if group.column(position).path_in_schema.split(".")[0] in fed
        )
        rows = int(READ_BYTES * group.num_rows / max(wanted, 1))
        yield from file.iter_batches(
            batch_size=min(max(rows, 64), 1 << 17),
            row_groups=[index],
            columns=there,
            use_threads=False,
        )


def _names_in(file: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return wanted name → name in the file, which may differ in case, where it is there."""
    folded = {name.lower(): name for name in file} | {name: name for name in file}
    places = {name: folded.get(name, folded.get(name.lower())) for name in wanted}
    return {name: there for name, there in places.items() if there is not None}


def _conform(batch: pa.RecordBatch, schema: pa.Schema, path: str) -> pa.RecordBatch:
    there = _names_in(batch.schema.names, schema.names)
    columns = [
        _conformed(batch.column(there[field.name]), field, path)
        if field.name in there
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _conformed(column: Any, field: pa.Field[Any], path: str) -> Any:
    if not _holds(field.type, column.type):
        raise BindingError(
            explain(
                f"The files of the input are not of one schema: column {field.name!r} of {path}.",
                expected=f"{field.type}, as in the first file",
                found=str(column.type),
                hint="write the file again with the type of the others.",
            )
        )
    return column.cast(field.type)


def _holds(wanted: pa.DataType, found: pa.DataType) -> bool:
    """Whether a type holds every value of another; what a cast checks by itself is left to it."""
    if wanted == found or pa.types.is_null(found):
        return True
    if pa.types.is_dictionary(found):
        return _holds(wanted, found.value_type)
    if pa.types.is_nested(wanted) and pa.types.is_nested(found):
        return wanted.num_fields == found.num_fields and all(
            _holds(wanted.field(index).type, found.field(index).type)
            for index in range(wanted.num_fields)
        )
    if pa.types.is_signed_integer(found):
        whole = pa.types.is_signed_integer(wanted) and found.bit_width <= wanted.bit_width
        return whole or (pa.types.is_float64(wanted) and found.bit_width <= 32)
    if pa.types.is_float32(found):
        return pa.types.is_float64(wanted)
    checked = (_is_bytes, pa.types.is_timestamp, pa.types.is_decimal)
    return any(kind(wanted) and kind(found) for kind in checked)


def _is_bytes(arrow: pa.DataType) -> bool:
    kinds = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
    )
    return any(kind(arrow) for kind in kinds)
