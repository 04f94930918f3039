"""Cuts files into splits of similar size, one for each task. Driver.

Invariants: splits keep the order of the files and of the row groups in them, and every row group is
in exactly one split. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfspark.data_files.footers import WITH_FOOTERS, Footer
from tfspark.data_files.listing import DataFile

# Spark's own `spark.sql.files.maxPartitionBytes`.
SPLIT_BYTES = 128 << 20


@dataclass(frozen=True)
class Piece:
    """A file, or some of its row groups.

    Attributes:
        file: The file, with its state when it was listed.
        bytes: Size on disk.
        row_groups: Parquet row groups or ORC stripes; `None` for the whole file.
        rows: Number of rows; `None` if unknown.
    """

    file: DataFile
    bytes: int
    row_groups: tuple[int, ...] | None = None
    rows: int | None = None


def cut(files: Sequence[DataFile], footers: Sequence[Footer], file_format: str) -> list[Piece]:
    """Return the row groups of files if all footers are known, otherwise whole files."""
    if file_format not in WITH_FOOTERS or len(footers) < len(files):
        return [Piece(file, file.size) for file in files]
    return [
        Piece(footer.file, group.bytes, (index,), group.rows)
        for footer in footers
        for index, group in enumerate(footer.groups)
    ]


def rows_of(pieces: Sequence[Piece]) -> int | None:
    """Return the number of rows; `None` if it is unknown."""
    rows = [piece.rows for piece in pieces]
    return None if None in rows else sum(filter(None, rows))


def plan_splits(
    pieces: Sequence[Piece], slots: int, least_waves: int = 1
) -> list[tuple[Piece, ...]]:
    """Distribute pieces to as many splits as there are task slots, or to a multiple of this number.

    With another number, some slots would be idle in the last wave of tasks.

    Args:
        pieces: The pieces, in the order of their rows.
        slots: Tasks that run at the same time.
        least_waves: The least number of tasks for each slot, if there are enough pieces.
    """
    total = sum(piece.bytes for piece in pieces)
    waves = max(-(-total // (SPLIT_BYTES * slots)), least_waves)
    return pack(pieces, slots * waves)


def pack(pieces: Sequence[Piece], count: int) -> list[tuple[Piece, ...]]:
    """Distribute pieces in order to at most `count` splits with similar shares of the bytes."""
    total, count = sum(piece.bytes for piece in pieces), min(count, len(pieces))
    splits: list[list[Piece]] = [[] for _ in range(count)]
    before = 0
    for piece in pieces:
        middle = before + piece.bytes / 2
        splits[min(int(middle * count / max(total, 1)), count - 1)].append(piece)
        before += piece.bytes
    return [tuple(split) for split in splits if split]
