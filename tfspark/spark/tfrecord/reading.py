"""Reads TFRecord files as record batches, one task for each large file. Driver and executor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceReader, InputPartition

from tfspark.errors import InvalidInputError, explain
from tfspark.tfrecord.arrow import Column
from tfspark.tfrecord.columns import FeatureColumn, RecordType
from tfspark.tfrecord.decode import decode
from tfspark.tfrecord.files import RecordFile, grouped
from tfspark.tfrecord.records import Records
from tfspark.tfrecord.values import BadRecordError

# Small files share a task, up to the size of a partition of Spark's own sources.
_PARTITION = 128 << 20


class FilePartition(InputPartition):
    """The files that one task reads."""

    def __init__(self, files: Sequence[RecordFile]) -> None:
        super().__init__(list(files))


@dataclass(frozen=True)
class Layout:
    """How records become rows.

    Attributes:
        columns: The columns to read.
        record_type: Type of the records.
    """

    columns: Sequence[FeatureColumn]
    record_type: RecordType

    def batches(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read the files of a partition; one without files has no rows.

        Raises:
            InvalidInputError: When a record is broken, cut or does not fit; names file and offset.
        """
        schema = pa.schema(
            [pa.field(column.name, column.type, column.is_nullable) for column in self.columns]
        )
        for file in partition.value or ():
            for records in file.records():
                arrays = self._decoded(records)
                if arrays:
                    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                else:  # only the number of rows counts
                    rows: Any = pa.array([{}] * len(records), pa.struct([]))
                    yield pa.RecordBatch.from_struct_array(rows)

    def _decoded(self, records: Records) -> list[Column]:
        try:
            return decode(records, self.columns, self.record_type)
        except BadRecordError as error:
            where = f"The record at byte {records.offset_of(error.index)} of {records.file}"
            problem = explain(f"{where} cannot be read.", found=str(error), hint=error.hint)
            raise InvalidInputError(problem) from error


class RecordReader(DataSourceReader):
    """Reads the files that existed when the query was planned."""

    def __init__(self, files: Sequence[RecordFile], layout: Layout) -> None:
        self._files = files
        self._layout = layout

    def partitions(self) -> list[InputPartition]:
        """Return the work of each task."""
        return partitions_of(self._files)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read the files of one task; see `Layout.batches`."""
        return self._layout.batches(partition)


def partitions_of(files: Sequence[RecordFile]) -> list[InputPartition]:
    """Return partitions of whole files."""
    return [FilePartition(group) for group in grouped(files, _PARTITION)]
