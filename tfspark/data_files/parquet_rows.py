"""Decides how many rows of a Parquet file are read at once, so that memory stays bounded. Executor.

The footer contains only the sizes of encoded data. For example, a dictionary-encoded column of a
million equal 1 KB texts takes only a few KB in the file. So the size of numbers is computed from
their count. If texts may repeat, the size of each batch decides the number of rows of the next one.
No Spark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

# The target size of a read, in bytes of the requested columns. A read takes some time for each
# column, so it is larger if there are many.
_READ_BYTES = 4 << 20
_COLUMN_BYTES = 1 << 16
_MOST_READ_BYTES = 1 << 24
_LEAST_ROWS = 64
_MOST_ROWS = 1 << 17
# If texts may repeat: rows of the first batch, and the most rows, like a batch of Spark.
_FIRST_ROWS = 1 << 10
_MOST_REPEATED = 1 << 14
# Encodings in which a page may be much smaller than its texts.
_REPEATING = {"PLAIN_DICTIONARY", "RLE_DICTIONARY", "DELTA_BYTE_ARRAY"}
# Bytes of a value in Arrow; texts have at least an offset.
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "BYTE_ARRAY": 4}
_DECIMAL = 16


def leaves_in(schema: pa.Schema, leaves: int, columns: Collection[str]) -> list[int]:
    """Return the positions of the leaf columns of some columns of a file.

    The path of a leaf does not show its column, because names may contain dots.

    Args:
        schema: All columns of the file.
        leaves: Number of leaf columns of the file.
        columns: Names in the file.
    """
    counts = [_leaf_count(field.type) for field in schema]
    if sum(counts) != leaves:
        return list(range(leaves))
    names = [name for name, count in zip(schema.names, counts, strict=True) for _ in range(count)]
    return [position for position, name in enumerate(names) if name in columns]


@dataclass(frozen=True)
class RowSizes:
    """The number of rows of the next batch of a row group.

    Attributes:
        rows: Rows of the next batch.
        most: The largest number of rows.
        target: The bytes of a batch.
    """

    rows: int
    most: int
    target: int

    @classmethod
    def of(cls, group: pq.RowGroupMetaData, leaves: Sequence[int]) -> RowSizes:
        """Return the sizes for the first batch."""
        chunks = [group.column(position) for position in leaves]
        size = sum(map(_decoded_bytes, chunks))
        most = _MOST_REPEATED if any(map(_may_repeat, chunks)) else _MOST_ROWS
        first = _FIRST_ROWS if most == _MOST_REPEATED else most
        target = min(max(_READ_BYTES, len(leaves) * _COLUMN_BYTES), _MOST_READ_BYTES)
        return cls(_fitting(group.num_rows, size, target, first), most, target)

    def after(self, rows: int, size: float) -> RowSizes:
        """Return the sizes for the batch after one with some rows and bytes."""
        return replace(self, rows=_fitting(rows, size, self.target, self.most))

    def parts(self, batch: pa.RecordBatch, size: float) -> Iterator[pa.RecordBatch]:
        """Yield a batch of some bytes, in parts if it is much larger than the target."""
        if size <= 2 * self.target:
            yield batch
            return
        for start in range(0, batch.num_rows, self.rows):
            yield batch.slice(start, self.rows)


def _fitting(rows: int, size: float, target: int, most: int) -> int:
    return min(max(int(target * rows / max(size, 1)), _LEAST_ROWS), most)


def _leaf_count(kind: Any) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _leaf_count(kind.storage_type)
    if pa.types.is_nested(kind):
        return sum(_leaf_count(kind.field(index).type) for index in range(kind.num_fields))
    return 1


def _decoded_bytes(chunk: pq.ColumnChunkMetaData) -> int:
    width = _WIDTHS.get(chunk.physical_type, _DECIMAL)
    return max(chunk.total_uncompressed_size, chunk.num_values * width)


def _may_repeat(chunk: pq.ColumnChunkMetaData) -> bool:
    return chunk.physical_type == "BYTE_ARRAY" and not _REPEATING.isdisjoint(chunk.encodings)
