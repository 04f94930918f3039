"""Chooses the rows of each model batch. Executor.

If the user sets no size, a batch has up to 1 MiB, or up to 8 large rows if these fit into 8 MiB. A
large model may need much memory and time for 1 MiB of short rows, so its batches begin with fewer
rows and grow, until one takes 0.1 seconds and larger ones gain nothing. Then smaller sizes are
timed, and the fastest size is used for the rest of the partition. If the signature leaves the size
of an output open, the first batch has few rows, and shows how large the outputs are.

Invariant: the size changes no result beyond float tolerance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from tfspark import dtypes, structs
from tfspark.batch_bytes import BatchBytes
from tfspark.fetching import OutputBinding
from tfspark.schema import Binding
from tfspark.tensors import ByteStrings
from tfspark.tensors.constant import constant_tensor

# The largest window, in bytes of input and output, and the limit of rows for narrow tables.
TARGET_BYTES = 1 << 20
MAX_ROWS = 131_072
# A window with a few large rows, such as images, may be larger: each call has fixed costs and reads
# all weights. These are its largest numbers of rows and of bytes.
FEW_ROWS = 8
FEW_BYTES = 1 << 23
# How many sizes are timed: the largest one, its half, and so on. The largest suits most models.
# Recurrent networks and text models are fastest when the state of a step fits a core's cache.
# Sometimes one of two neighbouring sizes is slow for a whole partition.
SIZES = 5
# The first window of a large model has few rows: each row is expected to use each weight once, and
# this many bytes of weights are used in a fraction of a second.
FIRST_BYTES = 1 << 29
FIRST_ROWS = 16
# The next window may have up to this many times the rows, if it is expected to take at most
# `LONG_SECONDS`. Slower windows only double, and only while a row then takes less time.
_GROWTH = 64
LONG_SECONDS = 0.1
# Larger sizes are multiples of this number of rows, so that most windows begin at an address from
# which TensorFlow reads without a copy.
_ALIGNED_ROWS = 16
# An element of a sparse vector: a double, and its copy in the type of the input.
_SPARSE_BYTES = 16
# Windows of one size in a row. The first one does not count, because the caches still hold the data
# of another size; the fastest of the others counts.
_TRIAL = 5
# A size must be this much faster than the first one, because smaller differences are noise. Two
# sizes in a row that are this much slower than the fastest end the trial: no smaller one would win.
_MARGIN = 0.95


@dataclass
class BatchSize(ABC):
    """Chooses the rows of each window.

    Attributes:
        binding: The columns that are fed and the outputs that are fetched.
        given: The size that the user set; only a fixed batch dimension of the model overrides it.
        model_bytes: The size of the model's files; 0 if it is unknown.
    """

    binding: Binding
    given: int | None = None
    model_bytes: int = 0
    _fed: BatchBytes | None = field(default=None, init=False)
    _output_bytes: float | None = field(default=None, init=False)  # the most bytes of a row so far

    def of(self, batch: pa.RecordBatch) -> Callable[[], int]:
        """Return a function that gives the rows of the next window while this batch is cut."""
        fixed = self.binding.batch_dimension or self.given
        if fixed:
            return lambda: fixed
        if self._fed is None:
            self._fed = BatchBytes.of(batch.schema, self.binding.columns)
        fed = self._constant_bytes + _fed_bytes(batch, self._fed)
        known = fed + sum(size or 0 for size in self._sizes)
        if self._is_open:
            return lambda: self._next_open_rows(fed, known)
        return lambda: self._next_rows(known)

    def observe(self, predictions: pa.RecordBatch, scored: int, seconds: float) -> None:
        """Learn from a window how long a row takes, and how large its outputs are.

        Args:
            predictions: The predictions of the window.
            scored: Rows that the model scored. The others, such as those with a null, took almost
                no time and have no outputs, so a window without scored rows tells nothing.
            seconds: The time of the window.
        """
        if not scored:
            return
        rows = predictions.num_rows
        self.record(rows, seconds * rows / scored)
        if self._is_open:
            self._output_bytes = max(self._output_bytes or 0.0, predictions.nbytes / scored)

    @cached_property
    def _constant_bytes(self) -> int:
        """The bytes of the constants, which are repeated for each row."""
        tensors = [
            constant_tensor(bound.constant, bound.spec, 1)
            for bound in self.binding.inputs
            if bound.constant is not None and bound.spec.is_batched
        ]
        return sum(
            one.values.nbytes if isinstance(one, ByteStrings) else one.nbytes for one in tensors
        )

    @cached_property
    def _sizes(self) -> list[int | None]:
        return [_row_bytes(output) for output in self.binding.outputs]

    @property
    def _is_open(self) -> bool:
        return None in self._sizes

    def _next_open_rows(self, fed: float, known: float) -> int:
        """Return the rows of the next window if the signature leaves the size of an output open."""
        if self._output_bytes is None:
            return min(self._next_rows(known), FIRST_ROWS)
        return self._next_rows(max(fed + self._output_bytes, known))

    @property
    def first_rows(self) -> int:
        """The most rows of the first window: few if the model is large."""
        if not self.model_bytes:
            return MAX_ROWS
        return min(max(FIRST_BYTES // self.model_bytes, FIRST_ROWS), MAX_ROWS)

    @abstractmethod
    def _next_rows(self, row_bytes: float) -> int:
        """Return the rows of the next window; a row has these bytes of input and output."""

    @abstractmethod
    def record(self, rows: int, seconds: float) -> None:
        """Record how long a window takes; a window with fewer rows than asked for is ignored."""


@dataclass
class CpuBatchSize(BatchSize):
    """Tries smaller windows than the largest one, for an engine on a processor."""

    _asked: int = 0
    _most: int = MAX_ROWS
    _is_growing: bool = False
    _is_full: bool = False  # whether the window that was asked for has the most bytes
    _slow: float | None = None  # seconds of the first window of a slow size
    _smaller: float | None = None  # seconds per row with the previous size
    _trial: list[float] = field(default_factory=list)
    _best: list[float] = field(default_factory=list)
    _halvings: int | None = None

    def __post_init__(self) -> None:
        self._most = self.first_rows
        self._is_growing = self._most < MAX_ROWS

    def _next_rows(self, row_bytes: float) -> int:
        within = rows_within(row_bytes)
        self._is_full = within <= self._most
        largest = min(within, self._most)
        halvings = len(self._best) if self._halvings is None else self._halvings
        self._asked = aligned(max(largest >> halvings, 1))
        return self._asked

    def record(self, rows: int, seconds: float) -> None:
        """Grow, or time another size; see `BatchSize`."""
        if rows != self._asked or self._halvings is not None:
            return
        if self._is_growing:
            if not self._is_full:
                self._grow(rows, seconds)
                return
            self._is_growing, self._most = False, MAX_ROWS
        self._trial.append(seconds / rows)
        if len(self._trial) == _TRIAL:
            self._best.append(min(self._trial[1:]))
            self._trial.clear()
            self._choose()

    def _grow(self, rows: int, seconds: float) -> None:
        """Choose the next size, or stop growing if the last step gained nothing.

        The first call with a size may take long because the engine prepares for it, so a slow size
        is timed twice. If each call has fixed costs, a row takes less time in a longer window.
        """
        least = seconds if self._slow is None else min(seconds, self._slow)
        growth = min(int(LONG_SECONDS / max(least, 1e-9)), _GROWTH)
        if growth < 2 and self._slow is None:
            self._slow = seconds
            return
        self._slow = None
        before, self._smaller = self._smaller, least / rows
        if growth < 2 and before is not None and self._smaller > before * _MARGIN:
            self._is_growing, self._most = False, rows if least <= LONG_SECONDS else rows // 2
            return
        self._most = min(rows * max(growth, 2), MAX_ROWS)
        self._is_growing = self._most > rows

    def _choose(self) -> None:
        """Choose the fastest size when the trial is over."""
        first, *others = self._best
        fastest = min(self._best)
        slower = [time * _MARGIN > fastest for time in self._best[-2:]]
        if len(self._best) == SIZES or slower == [True, True]:
            times = [first * _MARGIN, *others]
            self._halvings = times.index(min(times))


def rows_within(row_bytes: float) -> int:
    """Return the rows of the largest window; at least one."""
    row = max(row_bytes, 1.0)
    return max(int(TARGET_BYTES / row), min(int(FEW_BYTES / row), FEW_ROWS), 1)


def aligned(rows: int) -> int:
    """Return a multiple of 16 rows; a smaller size stays as it is."""
    return rows - rows % _ALIGNED_ROWS if rows > _ALIGNED_ROWS else rows


def _fed_bytes(batch: pa.RecordBatch, fed: BatchBytes) -> float:
    """Return the bytes of one row on average; the zeros of sparse vectors and matrices count."""
    zeros = sum(structs.sparse_size(batch.column(position)) for position in fed.others)
    return (fed(batch) + zeros * _SPARSE_BYTES) / batch.num_rows


def _row_bytes(output: OutputBinding) -> int | None:
    """Return the bytes of one row of an output; `None` when its signature does not tell."""
    dtype = dtypes.by_name(output.spec.dtype)
    if output.spec.row_size is None or dtype.is_string:
        return None
    return output.spec.row_size * np.dtype(dtype.numpy).itemsize
