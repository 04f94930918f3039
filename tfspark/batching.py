"""Cuts a stream of record batches into windows. Executor.

A window is the list of slices of record batches that make one model batch.

Invariants: no row is copied; at most one window is held, even if the stream never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass
class Windows:
    """Cuts a stream of record batches into windows, without a copy."""

    waiting: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0

    def push(
        self, batch: pa.RecordBatch, size: Callable[[], int]
    ) -> Iterator[list[pa.RecordBatch]]:
        """Take a batch and yield each window that it completes.

        If rows get larger from one batch to the next, more rows may wait than `size` now allows.
        They make a window without new rows, so that memory stays bounded.

        Args:
            batch: The next rows.
            size: Returns the rows of the next window; called before each window.

        Yields:
            The slices of one window.
        """
        rows = size()
        if self.count >= rows:
            yield self.rest()
            rows = size()
        start = 0
        while self.count + batch.num_rows - start >= rows:
            stop = start + rows - self.count
            yield [*self.rest(), batch.slice(start, stop - start)]
            start = stop
            rows = size()
        if start < batch.num_rows:
            self.waiting.append(batch.slice(start))
            self.count += batch.num_rows - start

    def rest(self) -> list[pa.RecordBatch]:
        """Return and remove the slices that wait for more rows."""
        waiting, self.waiting, self.count = self.waiting, [], 0
        return waiting
