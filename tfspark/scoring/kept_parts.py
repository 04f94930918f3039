"""Finds the finished parts of a dead job; their rows are counted, not scored again. Driver.

A task gives its file the name of a part only when the file is complete. The name contains the
number of the split and a digest of its pieces, so a part is kept only if the new plan has the same
split. The digest of the job covers everything else. If a part does not have the planned number of
rows, it is scored again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyarrow.parquet as pq
from pyarrow import fs

from tfspark.data_files.splits import Piece, rows_of
from tfspark.scoring.parts import Part, PartScorer, part_prefix

_log = logging.getLogger(__name__)


def kept_parts(
    filesystem: fs.FileSystem,
    folder: str,
    splits: Sequence[tuple[Piece, ...]],
    task: PartScorer,
) -> list[Part]:
    """Return one part for each split that an earlier run has finished."""
    infos = filesystem.get_file_info(fs.FileSelector(folder))
    names = sorted(info.base_name for info in infos if info.type == fs.FileType.File)
    watched = task.chain.watched
    kept = []
    for number, split in enumerate(splits):
        prefix = part_prefix(number, split)
        name = next((known for known in names if known.startswith(prefix)), None)
        part = None if name is None else _counted(filesystem, f"{folder}/{name}", number, watched)
        if part is not None and rows_of(split) in (None, part.rows_out):
            kept.append(part)
    rows = sum(part.rows_out for part in kept)
    _log.info(
        "%d of %d parts of an earlier run are kept, with %d rows", len(kept), len(splits), rows
    )
    return kept


def _counted(filesystem: fs.FileSystem, path: str, number: int, watched: str) -> Part:
    """Count the rows of a part. Only one column is read, in small batches."""
    with filesystem.open_input_file(path) as source:
        file = pq.ParquetFile(source)
        batches = file.iter_batches(columns=[watched])
        nulls = sum(batch.column(0).null_count for batch in batches)
        rows = file.metadata.num_rows
    return Part(number, path.rpartition("/")[2], rows, rows, nulls, is_kept=True)
