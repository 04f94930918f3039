"""Computes mean and variance in one pass; parts can be merged. Driver and executor.

Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
Variances" (1979). Sums of squares would lose all digits if the mean is large.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from tfspark.sketches.quantiles import Numbers


@dataclass
class Moments:
    """Weight, mean and sum of squared deviations of numbers; none may be NaN."""

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, numbers: Numbers, weight: float = 1.0) -> None:
        """Add numbers; each has a weight."""
        if len(numbers):
            with np.errstate(over="ignore", invalid="ignore"):
                mean = float(numbers.mean())
                squares = weight * float(((numbers - mean) ** 2).sum())
            self.merge(Moments(weight * len(numbers), mean, squares))

    def merge(self, other: Moments) -> None:
        """Add the numbers of another part."""
        total = self.weight + other.weight
        if not other.weight:
            return
        difference = other.mean - self.mean
        # A product, because a power of a large float raises an OverflowError.
        between = difference * difference * self.weight * (other.weight / total)
        self.squares += other.squares + between
        self.mean += difference * other.weight / total
        self.weight = total

    @property
    def deviation(self) -> float:
        """The standard deviation of all numbers, as of a whole population."""
        return sqrt(self.squares / self.weight) if self.weight else 0.0
