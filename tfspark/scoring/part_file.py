"""One Parquet file of a task: created with its first row, written in row groups. Executor.

At most one row group is in memory. Each attempt of a task uses a new name. A file has a temporary
name until it is complete.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.batch_bytes import BatchBytes
from tfspark.file_systems import open_filesystem

# The most bytes in a row group of the output. Spark's readers split files at row groups.
GROUP_BYTES = 64 << 20


@dataclass
class PartFile:
    """A file in a staging folder; as a context manager, it completes the file at the end.

    Attributes:
        staged: URI of the folder.
        prefix: The prefix of the part names of the split.
        watched: A column whose nulls are counted.
        name: The name of the file; empty before the first row.
        nulls: Number of nulls in the watched column.
    """

    staged: str
    prefix: str
    watched: str
    name: str = ""
    nulls: int = 0
    _waiting: list[pa.RecordBatch] = field(default_factory=list)
    _size: float = 0.0
    _measure: BatchBytes | None = None
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
        """The row count from the footer of the file; 0 before the file is complete."""
        return sum(footer.num_rows for footer in self._footers)

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if not batch.num_rows:
            return
        if self._writer is None:
            self._writer = self._create(batch.schema)
        self._waiting.append(batch)
        if self._measure is None:
            self._measure = BatchBytes.of(batch.schema)
        self._size += self._measure(batch)
        if self._size >= GROUP_BYTES:
            self._flush(self._writer)

    def _flush(self, writer: pq.ParquetWriter) -> None:
        if not self._waiting:
            return
        group = pa.Table.from_batches(self._waiting)
        writer.write_table(group)
        self.nulls += group.column(self.watched).null_count
        self._waiting, self._size = [], 0.0

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
    """Closes a writer at the end of a block, but not after an error.

    If a writer has failed, closing it in pyarrow raises another error, which would hide the first.
    """

    writer: pq.ParquetWriter

    def __enter__(self) -> pq.ParquetWriter:
        return self.writer

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.writer.close()
        else:
            self.writer.is_open = False  # otherwise its destructor closes it


def _writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Return the options of the Parquet writer: Spark's options, but no dictionaries for floats.

    Predictions and features rarely repeat. The writer would spend most of its time on dictionaries
    that it then discards.
    """
    repeated = [
        column.name
        for column in schema
        if not pa.types.is_nested(column.type) and not pa.types.is_floating(column.type)
    ]
    return {"compression": "snappy", "use_dictionary": repeated or False}
