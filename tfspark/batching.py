"""Cuts a stream of record batches into model batches, and chooses their size. Executor.

A window is the list of slices of record batches that make one model batch. Without a size from the
user, the first windows of a partition are small and grow until one has 1 MiB or takes 0.1 seconds,
because a heavy model needs much memory for a mebibyte of short rows, and is slower with it. Then
smaller sizes are timed, and the fastest size is used for the others.

Invariants: no row is copied; at most one window is held, even if the stream never ends; the size
changes no result beyond float tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.fetching import OutputBinding
from tfspark.schema import Binding

# The largest window, in bytes of input and output, and the limit of rows for narrow tables.
TARGET_BYTES = 1 << 20
MAX_ROWS = 131_072
# The largest window is tried, its half, and so on. Most models are fastest with the largest one.
# Recurrent networks and text models are fastest when the state of a step fits a core's cache.
# Sometimes one of two neighbouring sizes is slow for a whole partition.
SIZES = 5
# The first window has so many rows, and the next ones at most so many times more.
FIRST_ROWS = 32
_GROWTH = 8
# More rows gain nothing when a call of the model takes so many seconds.
LONG_SECONDS = 0.1
# A long window gets more rows only if each row then takes this share of its time, or less.
_GAIN = 0.8
# Windows of one size in a row. The first one does not count, because the caches still hold the data
# of another size; the fastest of the others counts.
_TRIAL = 5
# A size must be this much faster than the first one, because smaller differences are noise. Two
# sizes in a row that are this much slower than the fastest end the trial: no smaller one would win.
_MARGIN = 0.95


@dataclass
class BatchSize:
    """Chooses the rows of each window.

    Attributes:
        binding: What is fed and fetched.
        given: The size that the user set; only a fixed batch dimension of the model overrides it.
    """

    binding: Binding
    given: int | None = None
    _asked: int = 0
    _most: int = FIRST_ROWS
    _grows: bool = True
    _long_windows: int = 0
    _second_looks: int = 0
    _long_rows: int = 0
    _cheapest: tuple[float, int] = (0.0, 0)
    _trial: list[float] = field(default_factory=list)
    _best: list[float] = field(default_factory=list)
    _halvings: int | None = None

    def of(self, batch: pa.RecordBatch) -> Callable[[], int]:
        """Return a function that gives the rows of the next window while this batch is cut."""
        fixed = self.binding.batch_dimension or self.given
        if fixed:
            return lambda: fixed
        fed = batch.select(list(self.binding.columns)).nbytes
        row = fed / batch.num_rows + sum(map(_row_bytes, self.binding.outputs))
        return lambda: self._ask(row)

    def _ask(self, row_bytes: float) -> int:
        largest = min(int(TARGET_BYTES / max(row_bytes, 1.0)), self._most)
        halvings = len(self._best) if self._halvings is None else self._halvings
        self._asked = max(largest >> halvings, 1)
        return self._asked

    def took(self, rows: int, seconds: float) -> None:
        """Record how long a window took; a window with fewer rows than asked for is ignored."""
        if rows != self._asked or self._halvings is not None:
            return
        if self._grows:
            self._grow(rows, seconds)
            return
        self._trial.append(seconds / rows)
        if len(self._trial) == _TRIAL:
            self._best.append(min(self._trial[1:]))
            self._trial.clear()
            self._choose()

    def _grow(self, rows: int, seconds: float) -> None:
        """Allow more rows, or fewer after a long window; end when there is nothing to gain."""
        affordable = int(rows * LONG_SECONDS / max(seconds, 1e-9))
        is_long = affordable <= rows
        # An engine may prepare the graph in the first run of each size, so the next one counts.
        if is_long and rows != self._long_rows and self._second_looks < _TRIAL:
            self._second_looks, self._long_rows = self._second_looks + 1, rows
            return
        # A single window can be long for another reason too.
        self._long_windows += is_long
        if is_long and self._has_fixed_costs(rows, seconds / rows):
            return
        can_grow = rows == self._most < MAX_ROWS
        self._grows = self._long_windows < _TRIAL and (can_grow or is_long)
        most = rows * _GROWTH if self._grows else MAX_ROWS
        self._most = max(min(affordable, most, MAX_ROWS), 1)

    def _has_fixed_costs(self, rows: int, each: float) -> bool:
        """Whether a long window has a row time that depends on its size; the next size is then set.

        A call may take long for any number of rows. Fewer rows then gain nothing, and more rows
        are allowed as long as each of them gets much cheaper.
        """
        cheapest, at = self._cheapest
        if rows < at and each * _GAIN > cheapest:
            self._most = min(at * _GROWTH, MAX_ROWS)
        elif rows >= at > 0 and each > cheapest * _GAIN:
            self._most, self._grows = at, False
        elif rows > at > 0:
            self._cheapest, self._grows = (each, rows), rows == self._most < MAX_ROWS
            self._most = min(rows * _GROWTH, MAX_ROWS) if self._grows else rows
        else:
            self._cheapest = (each, rows)
            return False
        return True

    def _choose(self) -> None:
        """Choose the fastest size when the trial is over."""
        first, *others = self._best
        fastest = min(self._best)
        slower = [time * _MARGIN > fastest for time in self._best[-2:]]
        if len(self._best) == SIZES or slower == [True, True]:
            times = [first * _MARGIN, *others]
            self._halvings = times.index(min(times))


def _row_bytes(output: OutputBinding) -> int:
    """Return the bytes of one row of an output; 0 when the signature leaves its size open."""
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
