"""Draws values of a batch at random: one from each block of 2^level values. Executor."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tfspark.sketches.quantiles import Numbers

# Random numbers are made in advance, because one call costs more than a thousand numbers.
_POOL = 1 << 13
# Most batches of a task have one of a few sizes.
_SIZES = 16


@dataclass
class Draw:
    """Draws positions. All columns of a batch share them, which saves time.

    Attributes:
        seed: The number of the task, so that each attempt of the task draws the same values.
    """

    seed: int
    _random: np.random.Generator = field(init=False)
    _drawn: dict[tuple[int, int], Numbers] = field(default_factory=dict)
    _starts: dict[tuple[int, int], Numbers] = field(default_factory=dict)
    _pools: dict[int, Numbers] = field(default_factory=dict)

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

    def one_in(self, parts: int) -> bool:
        """Return whether this task is drawn, if one of `parts` tasks has to be drawn."""
        return not self._random.integers(0, parts)

    def _new(self, count: int, level: int) -> Numbers:
        starts = self._starts.get((count, level))
        if starts is None:
            if len(self._starts) > _SIZES:
                self._starts.clear()
            starts = self._starts[count, level] = np.arange(0, count, 1 << level)
        found = starts + self._within(level, len(starts))
        return found[:-1] if found[-1] >= count else found

    def _within(self, level: int, blocks: int) -> Numbers:
        """Return random positions within blocks of 2^`level`."""
        pool = self._pools.get(level)
        if pool is None or len(pool) < blocks:
            pool = self._random.integers(0, 1 << level, max(_POOL, blocks), dtype=np.int64)
        self._pools[level] = pool[blocks:]
        return pool[:blocks]


def level_for(count: int, most: int) -> int:
    """Return the lowest level at which at most `most` of `count` values are drawn."""
    return max(-(-count // max(most, 1)) - 1, 0).bit_length()
