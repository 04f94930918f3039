"""Finds the columns of TFRecord files, and converts records to record batches. Driver and executor.

The schema is inferred from the first records of the first files. The errors for records that do not
fit name the file and the offset. No Spark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
from google.protobuf.message import DecodeError

from tfspark.errors import InvalidInputError, explain
from tfspark.tfrecord.arrow import Column
from tfspark.tfrecord.columns import BYTE_ARRAY, FeatureColumn, Inference, RecordType
from tfspark.tfrecord.decode import decode
from tfspark.tfrecord.records import Records
from tfspark.tfrecord.values import BadRecordError

# The numbers of records and of files from which the schema is inferred.
_RECORDS = 100
_FILES = 20


@dataclass(frozen=True)
class Layout:
    """How records become rows.

    Attributes:
        columns: The columns to read.
        record_type: Type of the records.
    """

    columns: Sequence[FeatureColumn]
    record_type: RecordType

    def batches(self, chunks: Iterable[Records]) -> Iterator[pa.RecordBatch]:
        """Convert the records of a file, one record batch for each chunk.

        Raises:
            InvalidInputError: When a record is broken, cut or does not fit; names file and offset.
        """
        schema = pa.schema(
            [pa.field(column.name, column.type, column.is_nullable) for column in self.columns]
        )
        for records in chunks:
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


def inferred_schema(
    files: Iterable[tuple[str, Iterable[Records]]], record_type: RecordType, subject: str
) -> pa.Schema:
    """Return the columns of the first records of the first files, sorted by name.

    Args:
        files: The name and the records of each file.
        record_type: Type of the records.
        subject: The files in words, for errors.

    Raises:
        InvalidInputError: When a record is broken or of another type, or no file has a feature.
        UnsupportedTypeError: When the files do not agree.
    """
    if record_type == "ByteArray":
        return pa.schema([BYTE_ARRAY])
    inference = Inference(record_type)
    for file, chunks in islice(files, _FILES):
        _infer(inference, file, chunks)
    if not inference.found:
        raise InvalidInputError(
            explain(
                f"The schema of {subject} cannot be inferred.",
                found="no record with features",
                hint="give the schema with .schema(…).",
            )
        )
    return inference.schema


def _infer(inference: Inference, file: str, chunks: Iterable[Records]) -> None:
    records = (chunk[index] for chunk in chunks for index in range(len(chunk)))
    try:
        inference.add(islice(records, _RECORDS), file)
    except DecodeError as error:
        raise InvalidInputError(
            explain(
                f"The file {file} does not contain records of the type {inference.record_type}.",
                found=str(error),
                hint="set the option recordType to ByteArray to read the bytes of the records.",
            )
        ) from error
