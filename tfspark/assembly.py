"""Joins predictions with the record batches that they belong to. Executor.

Model batches and incoming record batches end at different rows. An incoming batch is yielded as
soon as its predictions are complete; its columns are not copied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from tfspark import dtypes
from tfspark.schema import Binding


@dataclass
class Assembly:
    """Joins predictions with the incoming batches that they belong to."""

    binding: Binding
    keep: Sequence[str] | None
    incoming: deque[pa.RecordBatch] = field(default_factory=deque)
    pieces: deque[pa.RecordBatch] = field(default_factory=deque)
    count: int = 0
    schema: pa.Schema | None = None

    def expect(self, batch: pa.RecordBatch) -> None:
        """Take an incoming batch, whose predictions will follow."""
        self.incoming.append(batch)

    def add(self, predictions: pa.RecordBatch) -> None:
        """Take the predictions of the next rows."""
        self.pieces.append(predictions)
        self.count += predictions.num_rows

    def finished(self) -> Iterator[pa.RecordBatch]:
        """Yield each incoming batch whose predictions are complete."""
        while self.incoming and self.incoming[0].num_rows <= self.count:
            batch = self.incoming.popleft()
            kept = batch if self.keep is None else batch.select(list(self.keep))
            if self.schema is None:
                self.schema = pa.schema([*kept.schema, *self.binding.output_fields])
            predictions = self._take(batch.num_rows)
            yield pa.RecordBatch.from_arrays([*kept.columns, *predictions], schema=self.schema)

    def _take(self, rows: int) -> list[dtypes.ArrowArray]:
        """Remove and return the predictions of the next rows."""
        self.count -= rows
        parts = []
        while rows:
            piece = self.pieces.popleft()
            if piece.num_rows > rows:
                self.pieces.appendleft(piece.slice(rows))
                piece = piece.slice(0, rows)
            rows -= piece.num_rows
            parts.append(piece)
        if len(parts) == 1:
            return list(parts[0].columns)
        by_column = zip(*(part.columns for part in parts), strict=True)
        return [pa.concat_arrays(columns) for columns in by_column]
