"""Finds the known names among the keys of maps. Driver and executor.

Names are compared by a hash first, and then byte by byte. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfspark.tfrecord.wire import PADDING, Ints, Wire, Words

_WORD_BYTES = 8
# The first bits of a hash are the place of a name in a table; it fits the first cache of a CPU.
_TABLE_BITS = 12
_SHIFT = np.uint64(64 - _TABLE_BITS)


@dataclass(frozen=True)
class Names:
    """Some names, prepared for comparisons.

    Attributes:
        sizes: The lengths in bytes.
        hashes: The hash of each name.
        words: The first, second, … word of each name, with zeros after its end.
        table: The name at each place of the table; empty if two names have the same place.
    """

    sizes: Ints
    hashes: Words
    words: Sequence[Words]
    table: Ints

    @staticmethod
    def of(names: Sequence[str]) -> Names:
        """Prepare some names; at least one."""
        keys = [name.encode() for name in names]
        count = max(-(-max(map(len, keys)) // _WORD_BYTES), 1)
        step = count * _WORD_BYTES
        known = Wire(b"".join(key.ljust(step, b"\0") for key in keys) + bytes(PADDING))
        sizes = np.array([len(key) for key in keys], np.int64)
        hashes, words = known.hashes(np.arange(len(keys), dtype=np.int64) * step, sizes, count)
        places = (hashes >> _SHIFT).astype(np.int64)
        table = np.zeros(1 << _TABLE_BITS, np.int64)
        table[places] = np.arange(len(keys))
        is_unique = len(np.unique(places)) == len(keys)
        return Names(sizes, hashes, words, table if is_unique else table[:0])

    def find(self, wire: Wire, start: Ints, stop: Ints) -> Ints:
        """Return for each range the index of the name with the same bytes; -1 without one."""
        length = stop - start
        hashes, words = wire.hashes(start, length, len(self.words))
        if len(self.table):
            found = self.table[(hashes >> _SHIFT).view(np.int64)]
        else:
            order = np.argsort(self.hashes)
            places = np.searchsorted(self.hashes[order], hashes)
            found = order[np.minimum(places, len(order) - 1)]
        equal = self.sizes[found] == length
        for known, word in zip(self.words, words, strict=True):
            equal &= known[found] == word
        return found if equal.all() else np.where(equal, found, -1)
