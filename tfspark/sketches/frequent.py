"""Finds the most frequent texts in bounded memory; parts can be merged. Driver and executor.

The summary of Misra and Gries, "Finding repeated elements" (1982), is merged as in Agarwal et al.,
"Mergeable Summaries" (PODS 2012): counts are added, then the largest count that is not kept is
subtracted from all counts. A count is too small by at most the total weight divided by `SIZE` + 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

# How many texts are kept between calls.
SIZE = 64


@dataclass
class Frequent:
    """Texts and the least weight that each of them has.

    Attributes:
        counts: Text → weight.
        weight: Weight of all texts, also of those that are not kept.
    """

    counts: Counter[str] = field(default_factory=Counter)
    weight: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Add texts with their weights."""
        self.weight += sum(counts.values())
        self._add(counts)

    def merge(self, other: Frequent) -> None:
        """Add the texts of another summary."""
        self.weight += other.weight
        self._add(other.counts)

    def times(self, factor: int) -> Frequent:
        """Return the same texts with other weights, for a task that stands for several tasks."""
        if not factor:
            return Frequent()
        counts = {text: count * factor for text, count in self.counts.items()}
        return Frequent(Counter(counts), self.weight * factor)

    def cut(self, most: int) -> None:
        """Keep only the texts with the largest weights; the others count as not kept."""
        if len(self.counts) > most:
            self.counts = Counter(dict(self.top(most)))

    def top(self, most: int) -> list[tuple[str, int]]:
        """Return the texts with the largest weights, largest first; equal weights by text."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]

    def _add(self, counts: Mapping[str, int]) -> None:
        self.counts.update(counts)
        if len(self.counts) > SIZE:
            last = self.top(SIZE + 1)[-1][1]
            self.counts = Counter(
                {text: count - last for text, count in self.counts.items() if count > last}
            )
