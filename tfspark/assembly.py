"""Joins predictions with the record batches that they belong to. Executor.

Model batches and incoming record batches end at different rows. An incoming batch is yielded as
soon as its predictions are complete; its columns are not copied. If the predictions are large, such
as the vectors of all words of a text, the batch is yielded in parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tfspark import dtypes
from tfspark.schema import Binding

# Predictions of this size do not wait for the rest of their incoming batch.
MOST_BYTES = 1 << 26


@dataclass
class Assembly:
    """Joins predictions with the incoming batches that they belong to."""

    binding: Binding
    keep: Sequence[str] | None
    incoming: deque[pa.RecordBatch] = field(default_factory=deque)
    pieces: deque[pa.RecordBatch] = field(default_factory=deque)
    waiting_rows: int = 0  # rows of `pieces`
    waiting_bytes: int = 0
    schema: pa.Schema | None = None

    def expect(self, batch: pa.RecordBatch) -> None:
        """Take an incoming batch, whose predictions will follow."""
        self.incoming.append(batch)

    def add(self, predictions: pa.RecordBatch) -> None:
        """Take the predictions of the next rows."""
        self.pieces.append(predictions)
        self.waiting_rows += predictions.num_rows
        self.waiting_bytes += predictions.nbytes

    def finished(self) -> Iterator[pa.RecordBatch]:
        """Yield each incoming batch whose predictions are complete, and parts that are large."""
        while self.incoming and (rows := self._ready(self.incoming[0])):
            batch = self.incoming.popleft()
            if rows < batch.num_rows:
                self.incoming.appendleft(batch.slice(rows))
                batch = batch.slice(0, rows)
            kept = batch if self.keep is None else batch.select(list(self.keep))
            if self.schema is None:
                self.schema = pa.schema([*kept.schema, *self.binding.output_fields])
            predictions = self._take(rows)
            yield pa.RecordBatch.from_arrays([*kept.columns, *predictions], schema=self.schema)

    def _ready(self, batch: pa.RecordBatch) -> int:
        """Return how many rows of an incoming batch can be yielded."""
        if self.waiting_rows >= batch.num_rows:
            return batch.num_rows
        return self.waiting_rows if self.waiting_bytes >= MOST_BYTES else 0

    def _take(self, rows: int) -> list[dtypes.ArrowArray]:
        """Remove and return the predictions of the next rows."""
        self.waiting_rows -= rows
        parts = []
        while rows:
            piece = self.pieces.popleft()
            if piece.num_rows > rows:
                self.pieces.appendleft(piece.slice(rows))
                piece = piece.slice(0, rows)
            rows -= piece.num_rows
            parts.append(piece)
        self.waiting_bytes = sum(piece.nbytes for piece in self.pieces)
        if len(parts) == 1:
            return list(parts[0].columns)
        by_column = zip(*(part.columns for part in parts), strict=True)
        return [pa.concat_arrays(columns) for columns in by_column]
