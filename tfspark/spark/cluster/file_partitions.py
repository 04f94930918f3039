"""Distributes Parquet files to partitions by the rules of Spark's own file scan. Driver.

So a scan in Python has the partitions of Spark's scan, with the same rows in the same order. Spark
cuts files into ranges of bytes, sorts the ranges by size, and fills one partition after the other.
A row group belongs to the range that contains its middle.

Sources: `FilePartition` and `PartitionedFileUtil` in Spark, `filterFileMetaDataByMidpoint` in
parquet-java.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from tfspark.data_files.listing import DataFile
from tfspark.data_files.splits import Piece
from tfspark.spark.cluster.plain_read import NotPlainError


@dataclass(frozen=True)
class Limits:
    """The settings `spark.sql.files.*` of a session.

    Attributes:
        most_bytes: Largest range.
        open_bytes: Bytes that opening a file costs.
        least: Suggested least number of partitions.
        most: Suggested largest number of partitions; `None` for no limit.
    """

    most_bytes: int
    open_bytes: int
    least: int
    most: int | None

    @classmethod
    def of(cls, spark: SparkSession) -> Limits:
        """Return the limits of a classic session."""
        session: Any = spark._jsparkSession
        conf = session.sessionState().conf()
        least, most = conf.filesMinPartitionNum(), conf.filesMaxPartitionNum()
        return cls(
            int(conf.filesMaxPartitionBytes()),
            int(conf.filesOpenCostInBytes()),
            int(least.get() if least.isDefined() else session.leafNodeDefaultParallelism()),
            int(most.get()) if most.isDefined() else None,
        )

    def range_bytes(self, files: Sequence[DataFile]) -> int:
        """Return the largest range of some files, as in `FilePartition.maxSplitBytes`.

        Raises:
            NotPlainError: When it is 0; Spark explains it when the rows are read.
        """
        total = sum(file.size + self.open_bytes for file in files)
        size = min(self.most_bytes, max(self.open_bytes, total // self.least))
        if size <= 0:
            raise NotPlainError("the session cuts files into ranges of 0 bytes")
        return size


class Range(NamedTuple):
    """Some bytes of a file."""

    file: DataFile
    start: int
    size: int


class RowGroup(NamedTuple):
    """The middle of a row group in its file, in bytes, and its number of rows."""

    middle: int
    rows: int


def partitions_of(
    files: Sequence[DataFile],
    limits: Limits,
    groups: Mapping[DataFile, Sequence[RowGroup]],
) -> list[tuple[Piece, ...]]:
    """Return the pieces of each partition; some partitions may have none, as in Spark.

    Args:
        files: The files, in Spark's order.
        limits: The limits of the session.
        groups: The row groups of each file.
    """
    partitions = _partitions(files, limits)
    pieces = [[_piece(one, groups[one.file]) for one in ranges] for ranges in partitions]
    return [tuple(filter(None, some)) for some in pieces]


def row_groups(metadata: pq.FileMetaData, *, is_cut: bool) -> list[RowGroup]:
    """Return the row groups of a file.

    Args:
        metadata: The footer.
        is_cut: Whether the file has several ranges; otherwise the middles do not matter, and are 0.
    """
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    return [RowGroup(_middle(group) if is_cut else 0, group.num_rows) for group in groups]


def _middle(group: pq.RowGroupMetaData) -> int:
    columns = [group.column(position) for position in range(group.num_columns)]
    start, dictionary = columns[0].data_page_offset, columns[0].dictionary_page_offset
    if dictionary is not None:
        start = min(start, dictionary)
    return start + sum(column.total_compressed_size for column in columns) // 2


def _partitions(files: Sequence[DataFile], limits: Limits) -> list[list[Range]]:
    """Return the ranges of each partition, as in `FilePartition.getFilePartitions`."""
    size = limits.range_bytes(files)
    ranges = sorted(
        (
            Range(file, start, min(size, file.size - start))
            for file in files
            for start in range(0, file.size, size)
        ),
        key=lambda one: -one.size,  # a stable sort, like Spark's
    )
    filled = _filled(ranges, size, limits.open_bytes)
    if limits.most is None or len(filled) <= limits.most:
        return filled
    total = sum(one.size + limits.open_bytes for one in ranges)
    return _filled(ranges, -(-total // limits.most), limits.open_bytes)


def _filled(ranges: Sequence[Range], most_bytes: int, open_bytes: int) -> list[list[Range]]:
    filled: list[list[Range]] = []
    bytes_in = 0
    for one in ranges:
        if not filled or bytes_in + one.size > most_bytes:
            filled.append([])
            bytes_in = 0
        filled[-1].append(one)
        bytes_in += one.size + open_bytes
    return filled


def _piece(one: Range, groups: Sequence[RowGroup]) -> Piece | None:
    """Return the row groups whose middle is in a range; `None` if there are none."""
    end = one.start + one.size
    chosen = [at for at, group in enumerate(groups) if one.start <= group.middle < end]
    rows = sum(groups[at].rows for at in chosen)
    return Piece(one.file, one.size, tuple(chosen), rows) if chosen else None
