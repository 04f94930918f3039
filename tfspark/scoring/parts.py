"""One task of the direct path: read a split, score it, write one Parquet file. Executor.

Scores a split into a file in the staging folder, and returns a `Part` that describes the file. Only
that one record passes through the JVM.

Invariants: each attempt of a task writes under a name of its own, so an attempt that was lost or
doubled never touches another's file; only a part that the driver heard of is ever published.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.origin import Origin
from tfspark.schema import Binding
from tfspark.scoring.input.listing import open_filesystem
from tfspark.scoring.input.pieces import read_batches
from tfspark.scoring.input.splits import Piece
from tfspark.spark.worker.task import score_task
from tfspark.versions import installed_versions

# Rows that a row group of the output holds at most; Spark's readers split at row groups.
GROUP_BYTES = 64 << 20


@dataclass(frozen=True)
class Part:
    """What one task did.

    Attributes:
        split: Its number, which orders the parts.
        name: Its file in the staging folder; empty when the split had no rows.
        rows_in: Rows read.
        rows_out: Rows written.
        null_rows: Rows whose prediction is null.
        versions: Of the packages on the worker; reported by the first split alone.
    """

    split: int
    name: str
    rows_in: int
    rows_out: int
    null_rows: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class PartScorer:
    """Scores splits into files; what Spark pickles for a direct job.

    Attributes:
        handle: The model.
        binding: Checked against `schema`.
        options: How to score.
        keep: Columns to write beside the predictions.
        root: URI of the input, which opens its file system.
        format: Of the input files.
        schema: Columns to read.
        allow_missing: Whether a column that a file lacks is null for its rows.
        staged: URI of the folder to write into.
    """

    handle: ModelHandle
    binding: Binding
    options: ScoreOptions
    keep: Sequence[str]
    root: str
    format: str
    schema: pa.Schema
    allow_missing: bool
    staged: str

    def __call__(self, number: int, split: Sequence[Piece]) -> Part:
        """Score one split."""
        read = _Reading(self)
        scored = score_task(
            self.handle,
            read.through(split),
            lambda _: self.binding,
            options=self.options,
            keep=self.keep,
            origin=Origin(self.handle.title, number, read.file_of),
        )
        return self._write(number, scored, read)

    def _write(self, number: int, scored: Iterator[pa.RecordBatch], read: _Reading) -> Part:
        first = next(scored, None)
        if first is None:
            return Part(number, "", 0, 0, 0, _versions(number))
        target, folder = open_filesystem(self.staged)
        name = f"part-{number:05d}-{uuid4()}.snappy.parquet"
        watched = self.binding.outputs[-1].column
        rows = nulls = 0
        with (
            target.open_output_stream(f"{folder}/{name}") as sink,
            pq.ParquetWriter(sink, first.schema, **_writer_options(first.schema)) as writer,
        ):
            for group in _row_groups(chain([first], scored)):
                writer.write_table(group)
                rows += group.num_rows
                nulls += group.column(watched).null_count
        return Part(number, name, read.rows, rows, nulls, _versions(number))


@dataclass
class _Reading:
    """The rows of a split as they pass: how many, and which file each is from."""

    scorer: PartScorer
    rows: int = 0
    starts: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def through(self, split: Sequence[Piece]) -> Iterator[pa.RecordBatch]:
        """Read the pieces of a split one after the other."""
        source, _ = open_filesystem(self.scorer.root)
        for piece in split:
            self.starts.append(self.rows)
            self.files.append(piece.file.path)
            for batch in read_batches(
                source,
                piece,
                self.scorer.format,
                self.scorer.schema,
                allow_missing=self.scorer.allow_missing,
            ):
                if batch.num_rows:
                    self.rows += batch.num_rows
                    yield batch

    def file_of(self, row: int) -> str | None:
        """Return the file that a row of the split is from."""
        return self.files[bisect_right(self.starts, row) - 1] if self.starts else None


def _versions(number: int) -> Mapping[str, str]:
    return installed_versions() if number == 0 else {}


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join record batches into tables of one row group each."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        waiting.append(batch)
        size += batch.nbytes
        if size >= GROUP_BYTES:
            yield pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting)


def _writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Return the options of the Parquet writer: those of Spark, but for dictionaries of floats.

    Predictions and features rarely repeat; building a dictionary that the writer then gives up is
    most of the time of a write.
    """
    repeated = [
        column.name
        for column in schema
        if not pa.types.is_nested(column.type) and not pa.types.is_floating(column.type)
    ]
    return {"compression": "snappy", "use_dictionary": repeated or False}
