"""Draws rows of a batch at random: one from each block of equal size. Executor."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfspark.sketches.quantiles import Numbers

# How many values of a column are drawn from each batch. The first values of a task are all taken,
# so that the statistics of few rows are exact.
EACH = 128
FIRST = 2048
# Random numbers are made in advance, because one call costs more than a thousand numbers.
_POOL = 1 << 14


@dataclass
class Draw:
    """Draws positions. All columns of a batch share them, which saves time.

    Attributes:
        seed: The number of the task, so that each attempt of the task draws the same rows.
    """

    seed: int
    _random: np.random.Generator = field(init=False)
    _pool: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    _drawn: dict[tuple[int, int], Numbers] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def positions(self, count: int, level: int) -> Numbers:
        """Return one position from each block of 2^`level` among `count` positions.

        The last block may be incomplete; a position in its missing part is left out.
        """
        found = self._drawn.get((count, level))
        if found is None:
            found = self._drawn[count, level] = self._new(count, level)
        return found

    def renew(self) -> None:
        """Draw other positions from now on; call it for each batch."""
        self._drawn.clear()

    def _new(self, count: int, level: int) -> Numbers:
        starts = np.arange(0, count, 1 << level)
        if len(starts) > len(self._pool):
            self._pool = self._random.integers(0, 2**62, max(_POOL, len(starts)), dtype=np.int64)
        random, self._pool = self._pool[: len(starts)], self._pool[len(starts) :]
        found = starts + (random & ((1 << level) - 1))
        return found[:-1] if found[-1] >= count else found


def level_for(count: int, drawn: int) -> int:
    """Return the level at which to draw from a batch.

    Args:
        count: Number of values in the batch.
        drawn: Number of values that were drawn before.
    """
    most = max(EACH, FIRST - drawn)
    return max(-(-count // most) - 1, 0).bit_length()
