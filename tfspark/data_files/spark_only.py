"""Finds Parquet files that only Spark can read correctly. Driver and executor.

Spark converts dates of the Julian calendar, and decrypts columns. pyarrow returns other dates, and
ends the process when an encrypted column is described. No Spark.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
