"""Reads the files of a task with pyarrow and scores their rows, for `predict`. Executor.

Spark pickles a `FileScorer` with the files of all tasks, and sends each task only its number. A
file must still have the size and the time that it had when Spark listed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pyarrow import fs

from tfspark.data_files.listing import DataFile, states
from tfspark.data_files.pieces import read_batches
from tfspark.data_files.splits import Piece
from tfspark.errors import InvalidInputError, explain
from tfspark.spark.worker.partition_scorer import PartitionScorer

# A setting of the session; with `false`, Spark reads all files.
SETTING = "spark.tfspark.directRead"
# Spark's file index has no more digits of a time.
_MILLISECOND = 1_000_000


@dataclass(frozen=True)
class FileScorer:
    """Scores the rows of some Parquet files.

    Attributes:
        scorer: Scores the columns of a partition.
        partitions: The pieces of each partition.
        schema: The columns to read, each once.
        positions: Column of the partition → its position in `schema`.
    """

    scorer: PartitionScorer
    partitions: Sequence[Sequence[Piece]]
    schema: pa.Schema
    positions: Sequence[int]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Score the partitions whose numbers are in the first column."""
        for batch in batches:
            for number in batch.column(0):
                yield from self.scorer(self._rows(self.partitions[int(number.as_py())]))

    def _rows(self, pieces: Sequence[Piece]) -> Iterator[pa.RecordBatch]:
        source = fs.LocalFileSystem()
        for piece in pieces:
            as_now = replace(piece, file=_unchanged(source, piece.file))
            for batch in _read(source, as_now, self.schema):
                if batch.num_rows:
                    columns = [batch.column(position) for position in self.positions]
                    yield pa.RecordBatch.from_arrays(columns, names=list(self.scorer.names))


def _read(source: fs.FileSystem, piece: Piece, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Read a piece; the hints of errors are for callers of `predict`, not of the batch job."""
    try:
        yield from read_batches(source, piece, "parquet", schema)
    except InvalidInputError as error:
        found = str(error).partition("\nHint: ")[0]
        raise InvalidInputError(
            explain(
                f"A task of predict cannot read the file {piece.file.path}.",
                found=found,
                hint="make the DataFrame again if the file has changed; to let Spark read the "
                f'files, call spark.conf.set("{SETTING}", "false") before predict.',
            )
        ) from error


def is_as_listed(now: DataFile | None, listed: DataFile) -> bool:
    """Whether a file still has the size and the time that it had when Spark listed it."""
    if now is None or now.changed is None or listed.changed is None:
        return False
    same_time = now.changed // _MILLISECOND == listed.changed // _MILLISECOND
    return same_time and now.size == listed.size


def _unchanged(source: fs.FileSystem, listed: DataFile) -> DataFile:
    """Return the current state of a file with all digits of its time.

    Raises:
        InvalidInputError: When it is not the file that Spark listed.
    """
    (now,) = states(source, [listed.path])
    if now is not None and is_as_listed(now, listed):
        return now
    found = "no file" if now is None else f"{now.size} bytes"
    if now is not None and now.size == listed.size:
        found += ", written again"
    raise InvalidInputError(
        explain(
            f"The file {listed.path} has changed since Spark listed it.",
            expected=f"{listed.size} bytes, as when the DataFrame was made",
            found=found,
            hint="make the DataFrame again, for example by spark.read.parquet(…).",
        )
    )
