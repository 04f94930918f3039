from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from pyarrow import fs

from tfspark.data_files.footers import read_footer
from tfspark.data_files.listing import DataFile
from tfspark.data_files.pieces import read_batches
from tfspark.data_files.spark_only import is_julian
from tfspark.data_files.splits import Piece
from tfspark.errors import InvalidInputError

DAY = pa.field("day", pa.date32())
NESTED = pa.field("m", pa.map_(pa.string(), pa.list_(pa.timestamp("us"))))


class Kms(pe.KmsClient):  # type: ignore[misc]
    """A key store that wraps keys without a secret."""

    def wrap_key(self, key: bytes, _: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, wrapped: bytes, _: str) -> bytes:
        return base64.b64decode(wrapped)


@pytest.fixture
def encrypted(tmp_path: Path) -> DataFile:
    """A file with a plain footer and an encrypted column."""
    table = pa.table({"x": [1.0, 2.0], "secret": [3.0, 4.0]})
    keys = pe.EncryptionConfiguration("key", column_keys={"key": ["secret"]}, plaintext_footer=True)
    factory = pe.CryptoFactory(lambda _: Kms())
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), keys)
    path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    status = path.stat()
    return DataFile(str(path), status.st_size, status.st_mtime_ns)


def test_encrypted_columns_are_found_without_looking_at_them(encrypted: DataFile) -> None:
    local = fs.LocalFileSystem()
    assert read_footer(local, encrypted, "parquet").is_encrypted
    schema = pa.schema([("x", pa.float64())])
    message = "Only Spark reads .* correctly: it has encrypted columns"
    with pytest.raises(InvalidInputError, match=message):
        next(read_batches(local, Piece(encrypted, None), "parquet", schema))


def test_a_plain_file_is_not_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"x": [1.0]}), path, write_page_index=True)
    file = DataFile(str(path), path.stat().st_size)
    assert not read_footer(fs.LocalFileSystem(), file, "parquet").is_encrypted


@pytest.mark.parametrize(
    ("field", "notes", "expected"),
    [
        (DAY, {}, False),
        (DAY, {"org.apache.spark.version": "3.1.0"}, False),
        (DAY, {"org.apache.spark.version": "4.3.0"}, False),
        (DAY, {"org.apache.spark.version": "2.4.8"}, True),
        (NESTED, {"org.apache.spark.version": "3.0.3"}, True),
        (pa.field("x", pa.float64()), {"org.apache.spark.version": "2.4.8"}, False),
        (DAY, {"org.apache.spark.version": "4.3.0", "org.apache.spark.legacyINT96": ""}, True),
        (DAY, {"org.apache.spark.version": "unknown"}, False),
    ],
)
def test_files_of_old_sparks_may_have_julian_dates(field: Any, notes: Any, expected: bool) -> None:
    assert is_julian(pa.schema([field], metadata=notes)) is expected
