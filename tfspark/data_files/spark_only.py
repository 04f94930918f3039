"""Finds files that only Spark reads correctly, and says why. Driver and executor.

In Parquet files, Spark converts dates of the Julian calendar, and decrypts columns. pyarrow returns
other dates, and ends the process when an encrypted column is described. In ORC files, pyarrow takes
a dot in the name of a column for a nested field. No Spark.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tfspark.data_files.conform import names_in
from tfspark.dtypes import is_bytes

# Spark's metadata in a file with dates or timestamps of the Julian calendar.
_JULIAN = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
_WRITER = b"org.apache.spark.version"
# Older versions write dates of the Julian calendar without that metadata; 3.0 does for INT96.
FIRST_GREGORIAN = (3, 1)


def spark_version(schema: pa.Schema) -> tuple[int, int] | None:
    """Return the version of the Spark that wrote a file; `None` if another program wrote it."""
    text = (schema.metadata or {}).get(_WRITER, b"").decode("utf-8", "replace")
    found = re.match(r"(\d+)\.(\d+)\.", text)
    return None if found is None else (int(found[1]), int(found[2]))


def why_parquet(schema: pa.Schema, *, encrypted: bool) -> str:
    """Return why only Spark reads a Parquet file correctly; empty if pyarrow does too."""
    if encrypted:
        return "it has encrypted columns"
    return "it has dates of the Julian calendar" if is_julian(schema) else ""


def why_orc(schema: pa.Schema, wanted: pa.Schema) -> str:
    """Return why only Spark reads the wanted columns of an ORC file correctly; empty otherwise.

    If a column is text in one file and bytes in another, Spark writes the bytes as hexadecimal
    digits.
    """
    if any("." in name for name in schema.names):
        return "the name of a column has a dot"
    names = names_in(schema.names, wanted.names)
    for name, there in names.items():
        kinds = (wanted.field(name).type, schema.field(there).type)
        if all(map(is_bytes, kinds)) and _is_text(kinds[0]) != _is_text(kinds[1]):
            return f"column {name!r} is text in one file and bytes in another"
    return ""


def _is_text(arrow: Any) -> bool:
    return bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow))


def is_julian(schema: pa.Schema) -> bool:
    """Whether Spark converts dates or timestamps of a file to another calendar."""
    if any(note in (schema.metadata or {}) for note in _JULIAN):
        return True
    version = spark_version(schema)
    is_old = version is not None and version < FIRST_GREGORIAN
    return is_old and any(map(_has_time, schema.types))


def _has_time(arrow: Any) -> bool:
    if pa.types.is_nested(arrow):
        return any(_has_time(arrow.field(at).type) for at in range(arrow.num_fields))
    return pa.types.is_temporal(arrow)


def is_encrypted(source: Any, metadata: pq.FileMetaData) -> bool:
    """Whether a file with a plain footer has encrypted columns.

    The footer of such a file ends with a signature, so it is longer than its metadata. Source:
    Parquet Modular Encryption, "Plaintext footer mode".

    Args:
        source: The open file.
        metadata: Its metadata.
    """
    size = source.size()
    length = int.from_bytes(source.read_at(8, size - 8)[:4], "little")
    return length > metadata.serialized_size
