"""Reads one piece of a file with pyarrow. Executor.

It reads only the requested columns, some megabytes at a time, and converts them to one schema. The
error for a broken or changed file, or for other columns, names the file. No Spark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tfspark.batch_bytes import BatchBytes
from tfspark.data_files.conform import conform, differ_by_case, names_in
from tfspark.data_files.footers import INSTANT, instants_in, missing_columns, missing_in, unreadable
from tfspark.data_files.listing import changed, check_unchanged, states
from tfspark.data_files.parquet_rows import RowSizes, leaves_in
from tfspark.data_files.spark_only import is_encrypted, why_orc, why_parquet
from tfspark.data_files.splits import Piece
from tfspark.errors import InvalidInputError, explain, listing

# From a larger row group, pyarrow reads parts of the column chunks instead of whole chunks.
_GROUP_BYTES = 16 << 20


def read_batches(
    filesystem: fs.FileSystem,
    piece: Piece,
    file_format: str,
    schema: pa.Schema,
    *,
    allow_missing: bool = False,
) -> Iterator[pa.RecordBatch]:
    """Read the columns of a schema from one piece.

    Args:
        filesystem: The file system of the file.
        piece: The file, or the row groups of it that are read.
        file_format: parquet, orc, csv, json or tfrecord.
        schema: The columns; their names in the file may differ in case.
        allow_missing: Whether a column that the file lacks is null; otherwise it is refused.

    Yields:
        Record batches of that schema.

    Raises:
        InvalidInputError: When the file is broken, lacks a column, has a column of a wrong type, or
            has changed since the planning.
    """
    path, rows = piece.file.path, 0
    _check(filesystem, piece)
    try:
        with filesystem.open_input_file(path) as source:
            for batch in _batches(source, piece, file_format, schema, allow_missing):
                rows += batch.num_rows
                yield batch if batch.schema.equals(schema) else conform(batch, schema, path)
    except (pa.ArrowException, OSError) as error:
        _check(filesystem, piece)  # a changed file is the better explanation
        raise unreadable(path, file_format, error) from error
    _check(filesystem, piece)
    if piece.rows not in (None, rows):
        raise changed(path, f"{piece.rows} rows", f"{rows} rows")


def _check(filesystem: fs.FileSystem, piece: Piece) -> None:
    check_unchanged([piece.file], states(filesystem, [piece.file.path]))


def _batches(
    source: Any, piece: Piece, file_format: str, schema: pa.Schema, allow_missing: bool
) -> Iterator[pa.RecordBatch]:
    if file_format == "parquet":
        parquet = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
        there = parquet.schema_arrow
        # The driver has seen the footer if it knows the rows.
        encrypted = piece.rows is None and is_encrypted(source, parquet.metadata)
        _refuse_spark_only(piece.file.path, why_parquet(there, encrypted=encrypted))
        _refuse_lacking(piece.file.path, there, schema, allow_missing)
        wanted = list(names_in(there.names, schema.names).values())
        yield from _of_parquet(source, parquet, piece, wanted)
    elif file_format == "orc":
        from pyarrow import orc

        opened = orc.ORCFile(source)
        _refuse_lacking(piece.file.path, opened.schema, schema, allow_missing)
        _refuse_spark_only(piece.file.path, why_orc(opened.schema, schema))
        wanted = list(names_in(opened.schema.names, schema.names).values())
        for stripe in piece.row_groups or range(opened.nstripes):
            yield opened.read_stripe(stripe, columns=wanted)
    elif file_format == "csv":
        from pyarrow import csv

        yield from csv.open_csv(source, convert_options=_csv_options(schema, allow_missing))
    elif file_format == "tfrecord":
        from tfspark.data_files.record_files import record_batches

        yield from record_batches(piece.file.path, source, schema)
    else:
        from pyarrow import json as json_lines

        options = json_lines.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        )
        yield from json_lines.open_json(source, parse_options=options)


def _of_parquet(
    source: Any, file: pq.ParquetFile, piece: Piece, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    leaves = leaves_in(file.schema_arrow, file.metadata.num_columns, columns)
    instants = [name for name in instants_in(file.schema) if name in columns]
    indices = piece.row_groups or range(file.metadata.num_row_groups)
    groups = [file.metadata.row_group(index) for index in indices]
    file, measure = _buffered(source, file, groups, leaves), None
    for index, group in zip(indices, groups, strict=True):
        sizes = RowSizes.of(group, leaves)
        batches = file.iter_batches(
            batch_size=sizes.rows, row_groups=[index], columns=list(columns), use_threads=False
        )
        for batch in batches:
            if measure is None:
                measure = BatchBytes.of(batch.schema)
            size = measure(batch)
            sizes = sizes.after(batch.num_rows, size)
            file.reader.set_batch_size(sizes.rows)  # of the next batch
            for part in sizes.parts(batch, size):
                yield _with_instants(part, instants)


def _buffered(
    source: Any,
    file: pq.ParquetFile,
    groups: Sequence[pq.RowGroupMetaData],
    leaves: Sequence[int],
) -> pq.ParquetFile:
    """Return a file whose column chunks are not read at once if they are large."""
    sizes = (sum(group.column(at).total_compressed_size for at in leaves) for group in groups)
    if max(sizes, default=0) <= _GROUP_BYTES:
        return file
    return pq.ParquetFile(
        source,
        metadata=file.metadata,
        coerce_int96_timestamp_unit="us",
        pre_buffer=False,
        # Each column has a buffer.
        buffer_size=min(max(_GROUP_BYTES // len(leaves), 1 << 16), 1 << 20),
    )


def _with_instants(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    for name in names:
        instants = batch.column(name).cast(INSTANT)
        batch = batch.set_column(batch.schema.get_field_index(name), name, instants)
    return batch


def _csv_options(schema: pa.Schema, allow_missing: bool) -> Any:
    from pyarrow import csv

    return csv.ConvertOptions(
        column_types=schema,
        include_columns=schema.names,
        include_missing_columns=allow_missing,
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )


def _refuse_lacking(path: str, there: pa.Schema, wanted: pa.Schema, allow_missing: bool) -> None:
    if differ_by_case(there.names):
        problem = f"The input file {path} has columns whose names differ only in case."
        hint = "rename one of them, or score it with --path spark."
        raise InvalidInputError(explain(problem, found=listing(there.names), hint=hint))
    lacking = [] if allow_missing else list(missing_in(there, wanted))
    if lacking:
        raise missing_columns(path, lacking)


def _refuse_spark_only(path: str, reason: str) -> None:
    """Refuse a file that only Spark reads correctly; the driver checks only the first files."""
    if reason:
        problem = f"Only Spark reads the input file {path} correctly: {reason}."
        raise InvalidInputError(explain(problem, hint="score it with --path spark."))
