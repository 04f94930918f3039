"""Finds the broken line of a CSV or JSON file after a failure of Spark. Driver.

Spark names the file, and sometimes the record. The input is read again to find the first broken
record. Then the file of this record is read up to the record, to count the lines.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tfspark.errors import InvalidInputError, TfsparkError, explain
from tfspark.file_systems import open_filesystem
from tfspark.scoring.dataset import Dataset
from tfspark.spark.cluster.failures import is_broken_record
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.reading import first_broken_record

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SHOWN_CHARACTERS = 200


@contextmanager
def naming_broken_records(spark: SparkSession, source: Dataset) -> Iterator[None]:
    """Raise a failure about a broken record as an error that names its file and line."""
    try:
        yield
    except TfsparkError:
        raise
    except Exception as error:
        named = _named(spark, source) if source.path and is_broken_record(error) else None
        if named is None:
            raise
        raise named from error


def _named(spark: SparkSession, source: Dataset) -> InvalidInputError | None:
    found = first_broken_record(spark, source.path, source.format, source.reader_options)
    if found is None:
        return None
    uri, record = found
    line = _line_of(HadoopFiles(spark, uri).uri(uri), record)
    shown = record if len(record) <= _SHOWN_CHARACTERS else f"{record[:_SHOWN_CHARACTERS]}…"
    return InvalidInputError(
        explain(
            f"The input file {uri} has a broken record" + (f" in line {line}." if line else "."),
            expected=f"a record of {source.format} with the fields of the others",
            found=repr(shown),
            hint="fix the line; or add --option mode=PERMISSIVE, which gives null for every value "
            "that Spark cannot read.",
        )
    )


def _line_of(uri: str, record: str) -> int | None:
    """Return the number of the line where a record begins; `None` when it is not found."""
    first = record.splitlines()[0].encode() if record else b""
    try:
        filesystem, path = open_filesystem(uri)
        with filesystem.open_input_stream(path) as stream:
            lines: Any = io.BufferedReader(stream)
            for number, line in enumerate(lines, 1):
                if line.rstrip(b"\r\n") == first:
                    return number
    except (OSError, pa.ArrowException):
        return None
    return None
