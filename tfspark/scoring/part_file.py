"""One Parquet file of a task: created with its first row, written in row groups. Executor.

At most one row group is held in memory. The name is new for each attempt of a task. A file gets its
name when it is complete.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.scoring.input.listing import open_filesystem

# Rows that a row group of the output holds at most; Spark's readers split at row groups.
GROUP_BYTES = 64 << 20


@dataclass
class PartFile:
    """A file in a staging folder; a context manager, which completes the file.

    Attributes:
        staged: URI of the folder.
        prefix: How the names of the split's parts begin.
        watched: A column whose nulls are counted.
        name: The name of the file; empty as long as there is no row.
        nulls: Nulls of the watched column.
    """

    staged: str
    prefix: str
    watched: str
    name: str = ""
    nulls: int = 0
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _size: int = 0
    _writer: pq.ParquetWriter | None = None
    _footers: list[pq.FileMetaData] = field(default_factory=list)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self._open.__exit__(kind, error, trace)
            return
        with self._open:
            if self._writer is not None:
                self._flush(self._writer)
        if self.name:
            target, folder = open_filesystem(self.staged)
            target.move(f"{folder}/_{self.name}", f"{folder}/{self.name}")

    @property
    def rows(self) -> int:
        """The rows of the file, as its footer says; 0 before the file is complete."""
        return sum(footer.num_rows for footer in self._footers)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if not batch.num_rows:
            return
        if self._writer is None:
            self._writer = self._create(batch.schema)
        self._waiting.append(batch)
        self._size += batch.nbytes
        if self._size >= GROUP_BYTES:
            self._flush(self._writer)

    def _flush(self, writer: pq.ParquetWriter) -> None:
        if not self._waiting:
            return
        group = pa.Table.from_batches(self._waiting)
        writer.write_table(group)
        self.nulls += group.column(self.watched).null_count
        self._waiting, self._size = [], 0

    def _create(self, schema: pa.Schema) -> pq.ParquetWriter:
        target, folder = open_filesystem(self.staged)
        self.name = f"{self.prefix}{uuid4().hex}.snappy.parquet"
        sink = self._open.enter_context(target.open_output_stream(f"{folder}/_{self.name}"))
        options = _writer_options(schema)
        writer = pq.ParquetWriter(sink, schema, metadata_collector=self._footers, **options)
        self._open.push(_Closing(writer))
        return writer


@dataclass(frozen=True)
class _Closing:
    """Closes a writer at the end of a block; after an error, the error is what is raised.

    pyarrow cannot close a writer that has failed: it raises another error.
    """

    writer: pq.ParquetWriter

    def __enter__(self) -> pq.ParquetWriter:
        return self.writer

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.writer.close()
        else:
            self.writer.is_open = False  # it would be closed when it is deleted


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
