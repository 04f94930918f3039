"""Chooses the rows of each model batch on a GPU, by timing larger and larger ones. Executor.

A call on a GPU has a fixed cost, which only many rows pay back. The first window has 1 MiB, or 16
rows if that is more. Larger windows follow while they make a row faster, up to 64 MiB. The fastest
size is used for the rest of the partition.

Invariants: as in `batching`; a window that is expected to take more than 0.1 seconds is not tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from tfspark.batching import (
    FIRST_BYTES,
    FIRST_ROWS,
    LONG_SECONDS,
    MAX_ROWS,
    TARGET_BYTES,
    aligned,
    row_bytes,
)
from tfspark.schema import Binding

# The largest window, in bytes of input and output.
MOST_BYTES = 1 << 26
# The next size has up to this many times the rows.
_GROWTH = 4
# A last step to the limit is not tried if it has fewer than this many times the rows.
_WORTHWHILE = 1.5
# Windows of one size in a row. The first one does not count: the engine chooses its kernels for
# each new size, which takes up to a second. The fastest of the others counts.
_TRIAL = 3
# A larger size must be this much faster, because smaller differences are noise.
_MARGIN = 0.95


@dataclass
class GpuBatchSize:
    """Chooses the rows of each window.

    Attributes:
        binding: What is fed and fetched.
        given: The size that the user set; only a fixed batch dimension of the model overrides it.
        model_bytes: The size of the model's files; 0 if it is unknown.
    """

    binding: Binding
    given: int | None = None
    model_bytes: int = 0
    _rows: int = 0  # the current size, before the limit of bytes; 0 before the first window
    _asked: int = 0
    _is_largest: bool = False
    _trial: list[float] = field(default_factory=list)
    _best: tuple[float, int] | None = None  # seconds per row, and the size
    _is_chosen: bool = False

    def of(self, batch: pa.RecordBatch) -> Callable[[], int]:
        """Return a function that gives the rows of the next window while this batch is cut."""
        fixed = self.binding.batch_dimension or self.given
        if fixed:
            return lambda: fixed
        row = row_bytes(batch, self.binding)
        return lambda: self._ask(row)

    def _ask(self, row: float) -> int:
        most = min(max(int(MOST_BYTES / max(row, 1.0)), 1), MAX_ROWS)
        self._rows = self._rows or self._first(row)
        self._is_largest = self._rows * _WORTHWHILE > most
        asked = aligned(min(self._rows, most))
        if asked != self._asked:
            self._trial.clear()
        self._asked = asked
        return asked

    def _first(self, row: float) -> int:
        """Return the first size: 1 MiB, but at least 16 rows, and few rows of a large model."""
        rows = max(int(TARGET_BYTES / max(row, 1.0)), FIRST_ROWS)
        if self.model_bytes:
            rows = min(rows, max(FIRST_BYTES // self.model_bytes, FIRST_ROWS))
        return rows

    def took(self, rows: int, seconds: float) -> None:
        """Record how long a window took; a window with fewer rows than asked for is ignored."""
        if rows != self._asked or self._is_chosen:
            return
        self._trial.append(seconds)
        if len(self._trial) == _TRIAL:
            least = min(self._trial[1:])
            self._trial.clear()
            self._choose(least, rows)

    def _choose(self, seconds: float, rows: int) -> None:
        """Grow if this size was faster than the one before; otherwise stay with the faster one."""
        each = seconds / rows
        if self._best is None or each < self._best[0] * _MARGIN:
            self._best = each, self._rows
            growth = min(int(LONG_SECONDS / max(seconds, 1e-9)), _GROWTH)
            if growth > 1 and not self._is_largest:
                self._rows *= growth
                return
        self._rows, self._is_chosen = self._best[1], True
