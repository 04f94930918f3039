"""Chooses the rows of each model batch on a GPU, by timing larger and larger ones. Executor.

A call on a GPU has a high fixed cost, so it is efficient only with many rows. The first window has
1 MiB, or 16 rows if that is more. Larger windows follow, up to 64 MiB, as long as they reduce the
time of a row. The fastest size is used for the rest of the partition.

Invariants: as in `batch_size`; a window that should take more than 0.1 seconds is not tried.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tfspark.batch_size import (
    FIRST_ROWS,
    LONG_SECONDS,
    MAX_ROWS,
    TARGET_BYTES,
    BatchSize,
    aligned,
)

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
class GpuBatchSize(BatchSize):
    """Tries larger windows than 1 MiB, for an engine on a GPU."""

    _rows: int = 0  # the current size, before the limit of bytes; 0 before the first window
    _asked: int = 0
    _is_largest: bool = False
    _trial: list[float] = field(default_factory=list)
    _best: tuple[float, int] | None = None  # seconds per row, and the size
    _is_chosen: bool = False

    def _next_rows(self, row_bytes: float) -> int:
        row = max(row_bytes, 1.0)
        most = min(max(int(MOST_BYTES / row), 1), MAX_ROWS)
        self._rows = self._rows or min(max(int(TARGET_BYTES / row), FIRST_ROWS), self.first_rows)
        self._is_largest = self._rows * _WORTHWHILE > most
        asked = aligned(min(self._rows, most))
        if asked != self._asked:
            self._trial.clear()
        self._asked = asked
        return asked

    def record(self, rows: int, seconds: float) -> None:
        """Choose the next size after some windows of this one; see `BatchSize`."""
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
