"""A sketch of a distribution: quantiles within a bounded error of their rank. Driver and executor.

The KLL sketch of Karnin, Lang and Liberty, "Optimal Quantile Approximation in Streams" (FOCS 2016,
https://arxiv.org/abs/1603.05346). Each number at level h stands for 2^h numbers. If a level is too
large, it is sorted, and every second number moves up. If one number of each 2^h was drawn at
random, the drawn numbers enter at level h; this is the sampler of the paper.

Invariants: at most about 3·`size` numbers between calls; the same numbers in the same order give
the same sketch. Not thread-safe; pickled without the overhead of an object for each level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[Any]

# Numbers in the highest level of the driver's sketch, into which sketches of tasks are merged.
# With this size, the rank error of a quantile is less than 0.1 % of all numbers, with a probability
# of 99 %; the error of the sample is larger. Merging does not sort numbers while they fit.
SIZE = 4096
# Each level below has two thirds of the size, which is the constant of the authors' own code.
_SHRINK = 2 / 3
_SMALLEST = 8
_NONE: Numbers = np.empty(0, np.float32)


@dataclass
class Quantiles:
    """A sketch of numbers without NaN.

    Attributes:
        size: Numbers in the highest level.
        levels: The numbers of each level; one at level h stands for 2^h.
        seed: Decides which numbers move up. Sketches of one seed would all be wrong in the same
            direction, so each task has its own.
    """

    size: int = SIZE
    levels: list[Numbers] = field(default_factory=list)
    seed: int = 1

    def add(self, numbers: Numbers, level: int = 0) -> None:
        """Add numbers, each of which stands for 2^`level` numbers."""
        self.extend({level: numbers})

    def extend(self, parts: Mapping[int, Numbers]) -> None:
        """Add numbers of several levels; one call costs less than several."""
        for level, numbers in parts.items():
            self._put(numbers, level)
        self._shrink()

    def merge(self, other: Quantiles) -> None:
        """Add the numbers of another sketch."""
        self.extend(dict(enumerate(other.levels)))

    def cut(self, most: int) -> None:
        """Halve the lowest levels until there are at most `most` numbers, or one at each level."""
        while self.count > most:
            large = [level for level, one in enumerate(self.levels) if len(one) > 1]
            if not large:
                return
            self._halve(large[0])

    @property
    def count(self) -> int:
        """How many numbers the sketch holds."""
        return sum(map(len, self.levels))

    @property
    def weight(self) -> int:
        """How many numbers the sketch stands for."""
        return sum(len(one) << level for level, one in enumerate(self.levels))

    @property
    def room(self) -> int:
        """About how many numbers of one level the sketch holds without halving it."""
        return 3 * self.size

    def weighted(self) -> tuple[Numbers, Numbers]:
        """Return the numbers of the sketch, and how many numbers each of them stands for."""
        if not self.count:
            return np.empty(0), np.empty(0)
        numbers = np.concatenate(self.levels).astype(np.float64)
        return numbers, np.repeat(
            2.0 ** np.arange(len(self.levels)), [len(one) for one in self.levels]
        )

    def steps(self) -> tuple[Numbers, Numbers]:
        """Return the distinct numbers in order, and for each the share of numbers up to it."""
        numbers, weights = self.weighted()
        if not len(numbers):
            return numbers, weights
        order = np.argsort(numbers, kind="stable")
        numbers, total = numbers[order], np.cumsum(weights[order])
        last = np.append(numbers[1:] != numbers[:-1], True)
        return numbers[last], total[last] / total[-1]

    def at(self, shares: Sequence[float]) -> Numbers:
        """Return the quantile for each of some shares between 0 and 1."""
        numbers, upto = self.steps()
        return numbers[np.minimum(np.searchsorted(upto, shares), len(numbers) - 1)]

    def _put(self, numbers: Numbers, level: int) -> None:
        if numbers.dtype != np.float32:
            numbers = numbers.astype(np.float64)
        while len(self.levels) <= level:
            self.levels.append(_NONE)
        there = self.levels[level]
        self.levels[level] = np.concatenate([there, numbers]) if len(there) else numbers

    def _shrink(self) -> None:
        """Halve levels that are too large, from the lowest one up, until the sketch is bounded."""
        while True:
            sizes, most = (
                [len(one) for one in self.levels],
                _capacities(self.size, len(self.levels)),
            )
            if sum(sizes) <= sum(most):
                return
            self._halve(next(at for at, size in enumerate(sizes) if size > most[at]))

    def _halve(self, level: int) -> None:
        """Move every second number of a level up; a single number stays."""
        numbers = np.sort(self.levels[level])
        pairs = len(numbers) // 2 * 2
        self._put(numbers[self._bit() : pairs : 2], level + 1)
        self.levels[level] = numbers[pairs:]

    def __getstate__(self) -> tuple[Any, ...]:
        filled = [
            (level, one.dtype.char, one.tobytes())
            for level, one in enumerate(self.levels)
            if len(one)
        ]
        return self.size, filled

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.size, filled = state
        self.levels, self.seed = [], 1
        for level, kind, content in filled:
            self._put(np.frombuffer(content, kind), level)

    def _bit(self) -> int:
        """Return the next random bit of Knuth's linear congruential generator MMIX."""
        self.seed = (self.seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.seed >> 63


@cache
def _capacities(size: int, levels: int) -> tuple[int, ...]:
    """Return how many numbers each level may hold, the lowest first."""
    sizes = (ceil(size * _SHRINK**below) for below in reversed(range(levels)))
    return tuple(max(_SMALLEST, one) for one in sizes)
