"""Files cut into splits of similar size, one for each task. Driver.

Invariants: splits keep the order of the files and of the row groups in them, and every row group is
in exactly one. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfspark.scoring.input.footers import WITH_FOOTERS, Footer
from tfspark.scoring.input.listing import DataFile

# Spark's own `spark.sql.files.maxPartitionBytes`.
SPLIT_BYTES = 128 << 20


@dataclass(frozen=True)
class Piece:
    """A file, or some of its row groups.

    Attributes:
        file: The file as it was when it was listed.
        bytes: Size on disk.
        row_groups: Parquet row groups or ORC stripes; `None` for the whole file.
        rows: How many it holds; `None` when that is not known.
    """

    file: DataFile
    bytes: int
    row_groups: tuple[int, ...] | None = None
    rows: int | None = None


def cut(files: Sequence[DataFile], footers: Sequence[Footer], file_format: str) -> list[Piece]:
    """Return the row groups of files whose footers are all known, else the files as they are."""
    if file_format not in WITH_FOOTERS or len(footers) < len(files):
        return [Piece(file, file.size) for file in files]
    return [
        Piece(footer.file, group.bytes, (index,), group.rows)
        for footer in footers
        for index, group in enumerate(footer.groups)
    ]


def plan_splits(pieces: Sequence[Piece], slots: int) -> list[tuple[Piece, ...]]:
    """Deal pieces out to splits: as many as there are task slots, or that many times more.

    A last wave that fills some of the slots only would leave the others idle for a task's time.

    Args:
        pieces: In the order in which their rows are wanted.
        slots: Tasks that run at the same time.
    """
    total = sum(piece.bytes for piece in pieces)
    waves = max(-(-total // (SPLIT_BYTES * slots)), 1)
    count = min(slots * waves, len(pieces))
    return _pack(pieces, total, count)


def _pack(pieces: Sequence[Piece], total: int, count: int) -> list[tuple[Piece, ...]]:
    """Deal pieces out in order, so that each split ends where its share of the bytes does."""
    splits: list[list[Piece]] = [[] for _ in range(count)]
    before = 0
    for piece in pieces:
        middle = before + piece.bytes / 2
        splits[min(int(middle * count / max(total, 1)), count - 1)].append(piece)
        before += piece.bytes
    return [tuple(split) for split in splits if split]
