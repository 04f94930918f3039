"""How a stream of record batches is cut into the batches that a model is fed. Executor.

In come record batches of any size and the seconds that each model batch took; out go windows: the
slices of record batches that make one model batch. Where the user gives no size, it is chosen by
bytes, and among some sizes by what this model takes fastest: the first windows of a partition try
them, one size after the other.

Invariants: no row is copied; of a stream without end no more is held than one window; which size
is taken changes no result beyond float tolerance, as no batch size does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.fetching import OutputBinding
from tfspark.schema import Binding

# Bytes of a model batch, in and out, that are tried, and the rows that bound narrow ones. Most
# models are fastest at 1 MiB; recurrent networks and those of text where what a step holds fits a
# core's cache, and one of two neighbouring sizes is now and then slow for the whole of a partition.
TARGET_BYTES = (1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16)
MAX_ROWS = 131_072
# Windows of one size in a row. The first finds the caches as another size left them and does not
# count; of the others the best does.
_TRIAL = 5
# Another size than the first has to be this much faster, or noise would choose; two in a row that
# are this much slower than the fastest end the trial, since no smaller one would be better.
_MARGIN = 0.95


@dataclass
class BatchSize:
    """Chooses the rows of each window.

    Attributes:
        binding: What is fed and fetched.
        given: The user's own size, which wins over all but a fixed batch dimension of the model.
    """

    binding: Binding
    given: int | None = None
    _asked: int = 0
    _trial: list[float] = field(default_factory=list)
    _best: list[float] = field(default_factory=list)
    _chosen: int | None = None

    def of(self, batch: pa.RecordBatch) -> Callable[[], int]:
        """Return what gives the rows of the next window while this batch is cut."""
        fixed = self.binding.batch_dimension or self.given
        if fixed:
            return lambda: fixed
        fed = batch.select(list(self.binding.columns)).nbytes
        row = fed / batch.num_rows + sum(map(_row_bytes, self.binding.outputs))
        return lambda: self._ask(row)

    def _ask(self, row_bytes: float) -> int:
        self._asked = max(min(int(self.target() / max(row_bytes, 1.0)), MAX_ROWS), 1)
        return self._asked

    def target(self) -> int:
        """Return the bytes of the next window: the size on trial, then the fastest."""
        return TARGET_BYTES[len(self._best)] if self._chosen is None else self._chosen

    def took(self, rows: int, seconds: float) -> None:
        """Learn how long a window took; one that was cut short tells nothing."""
        if rows != self._asked or self._chosen is not None:
            return
        self._trial.append(seconds / rows)
        if len(self._trial) == _TRIAL:
            self._best.append(min(self._trial[1:]))
            self._trial.clear()
            self._choose()

    def _choose(self) -> None:
        """Take the fastest size once the trial has come to its end."""
        first, *others = self._best
        fastest = min(self._best)
        slower = [one * _MARGIN > fastest for one in self._best[-2:]]
        if len(self._best) == len(TARGET_BYTES) or slower == [True, True]:
            times = [first * _MARGIN, *others]
            self._chosen = TARGET_BYTES[times.index(min(times))]


def _row_bytes(output: OutputBinding) -> int:
    """Return the bytes of one row of an output, as far as its signature tells."""
    return (output.spec.row_size or 0) * np.dtype(dtypes.by_name(output.spec.dtype).numpy).itemsize


@dataclass
class Windows:
    """Cuts a stream of record batches into windows, without a copy."""

    waiting: list[pa.RecordBatch] = field(default_factory=list)
    count: int = 0

    def push(
        self, batch: pa.RecordBatch, size: Callable[[], int]
    ) -> Iterator[list[pa.RecordBatch]]:
        """Take a batch and yield each window that it completes.

        Where rows grow from one batch to the next, more rows may wait than `size` now gives: they
        leave as they are, so that memory stays bounded.

        Args:
            batch: The next rows.
            size: Gives the rows of the next window, and is asked before each.

        Yields:
            The slices that make one window.
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
        """Hand over what waits for more rows."""
        waiting, self.waiting, self.count = self.waiting, [], 0
        return waiting
