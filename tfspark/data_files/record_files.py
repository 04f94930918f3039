"""Reads TFRecord files of Examples as the data files of a job. Driver and executor.

Without options, the data source `tfrecord` gives the same columns and rows. No Spark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyarrow import fs

from tfspark.data_files.listing import DataFile
from tfspark.tfrecord.columns import columns_of
from tfspark.tfrecord.files import records_in
from tfspark.tfrecord.layout import Layout, inferred_schema
from tfspark.tfrecord.records import Records


def record_schema(filesystem: fs.FileSystem, files: Sequence[DataFile]) -> pa.Schema:
    """Infer the columns from the first records of the first files.

    Raises:
        InvalidInputError: When a record is broken or not an Example, or no file has a feature.
        UnsupportedTypeError: When the files do not agree.
    """
    named = ((file.path, _records(filesystem, file.path)) for file in files)
    return inferred_schema(named, "Example", "the input files")


def record_batches(path: str, source: pa.NativeFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read some columns of an open file.

    Args:
        path: The name of the file, for errors.
        source: The file.
        schema: The columns; a feature that a record lacks is null.

    Raises:
        InvalidInputError: When a record is broken, cut or does not fit; names file and offset.
    """
    layout = Layout(columns_of(schema, "Example"), "Example")
    yield from layout.batches(records_in(path, source))


def _records(filesystem: fs.FileSystem, path: str) -> Iterator[Records]:
    with filesystem.open_input_file(path) as source:
        yield from records_in(path, source)
