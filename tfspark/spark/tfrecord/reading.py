"""Reads TFRecord files as record batches, one task for each large file. Driver and executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql.datasource import DataSourceReader, InputPartition

from tfspark.tfrecord.files import RecordFile, grouped
from tfspark.tfrecord.layout import Layout

# Small files share a task, up to the size of a partition of Spark's own sources.
_PARTITION = 128 << 20


class FilePartition(InputPartition):
    """The files that one task reads."""

    def __init__(self, files: Sequence[RecordFile]) -> None:
        super().__init__(list(files))


class RecordReader(DataSourceReader):
    """Reads the files that existed when the query was planned."""

    def __init__(self, files: Sequence[RecordFile], layout: Layout) -> None:
        self._files = files
        self._layout = layout

    def partitions(self) -> list[InputPartition]:
        """Return the work of each task."""
        return partitions_of(self._files)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read the files of one task."""
        return batches_of(partition, self._layout)


def partitions_of(files: Sequence[RecordFile]) -> list[InputPartition]:
    """Return partitions of whole files."""
    return [FilePartition(group) for group in grouped(files, _PARTITION)]


def batches_of(partition: InputPartition, layout: Layout) -> Iterator[pa.RecordBatch]:
    """Read the files of a partition; one without files has no rows.

    Raises:
        InvalidInputError: When a record is broken, cut or does not fit; names file and offset.
    """
    for file in partition.value or ():
        yield from layout.batches(file.records())
