"""Reads protobuf messages at many positions of a buffer at once. Driver and executor.

Each function does one step of parsing for all messages with NumPy, so that the cost of Python does
not depend on the number of messages. Only the layout that protobuf's own writers use for Examples
is read: fields with one-byte tags and with a length. A message with any other byte is marked as
unusual. No message is read outside its limits, whatever its bytes are.

Positions and lengths are int64. No Arrow and no Spark.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = "npt.NDArray[np.int64]"
Flags: TypeAlias = "npt.NDArray[np.bool_]"
Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Words: TypeAlias = "npt.NDArray[np.uint64]"

# A read of one word at any position needs this many bytes after the last message.
PADDING = 8
# With fewer messages, a Python loop is faster than NumPy's calls.
_FEW = 24
# A length needs at most 5 bytes; more would be 32 GiB.
_LENGTH_BYTES = 5
_WORD_BYTES = 8
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
# The masks for the first 0 to 8 bytes of a word.
_MASKS = np.array([(1 << (8 * size)) - 1 for size in range(9)], np.uint64)


@dataclass(frozen=True)
class Fields:
    """The fields of many messages. The fields of one message keep their order.

    Attributes:
        owner: Index of the message that has the field.
        tag: The tag byte.
        start: Position of the first byte of the content.
        stop: Position after its last byte.
    """

    owner: Ints
    tag: Ints
    start: Ints
    stop: Ints

    def of(self, keep: Flags | Ints | slice) -> Fields:
        """Return some of the fields."""
        return Fields(self.owner[keep], self.tag[keep], self.start[keep], self.stop[keep])

    def by_owner(self) -> Fields:
        """Return the fields in the order of their messages."""
        if bool((self.owner[1:] >= self.owner[:-1]).all()):
            return self
        return self.of(np.argsort(self.owner, kind="stable"))


class Wire:
    """A buffer of messages.

    Args:
        data: The messages, followed by at least `PADDING` bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bytes: Bytes = np.frombuffer(data, np.uint8)
        # The word at each position, whatever its alignment.
        self._words: Ints = np.ndarray(
            (max(len(data) - _WORD_BYTES + 1, 0),), "<i8", buffer=data, strides=(1,)
        )

    def words(self, at: Ints) -> Ints:
        """Return the eight bytes at each position as a little-endian integer."""
        return self._words[at]

    def header(self, at: Ints) -> tuple[Ints, Ints, Ints]:
        """Read a tag of one byte and a length at each position.

        Returns:
            The tags, and the first and last position of the contents. The last position may be
            outside the buffer, if the length is broken.
        """
        word = self._words[at]
        start = at + 2
        if not (word & 0x8000).any():  # each length has one byte
            return word & 0xFF, start, start + ((word >> 8) & 0x7F)
        length, size = _varints(word >> 8)
        start += size
        start -= 1
        return word & 0xFF, start, start + length

    def split(self, start: Ints, stop: Ints, most: int | None = None) -> tuple[Fields, Flags]:
        """Split messages into their fields.

        Args:
            start: Position of the first byte of each message.
            stop: Position after its last byte.
            most: A message with more fields is unusual, and its other fields are not read. A field
                can have two bytes and takes 32 bytes of memory.

        Returns:
            The fields, those of one message in order, and which messages are unusual.
        """
        unusual = np.zeros(len(start), np.bool_)
        owner = np.flatnonzero(start < stop)
        at, limit = start[owner], stop[owner]
        steps: list[Fields] = []
        while len(owner) > _FEW and len(steps) != most:
            tag, first, last = self.header(at)
            fits = last <= limit
            if not fits.all():
                unusual[owner[~fits]] = True
                owner, limit, tag = owner[fits], limit[fits], tag[fits]
                first, last = first[fits], last[fits]
            steps.append(Fields(owner, tag, first, last))
            more = np.flatnonzero(last < limit)
            owner, at, limit = owner[more], last[more], limit[more]
        if len(steps) == most:
            unusual[owner] = True
            return _joined(steps), unusual
        left = None if most is None else most - len(steps)
        steps.append(self._split_few(owner, at, limit, unusual, left))
        return _joined(steps), unusual

    def _split_few(
        self, owners: Ints, starts: Ints, stops: Ints, unusual: Flags, most: int | None
    ) -> Fields:
        """Split a few messages one after the other."""
        found = array("q")
        data = self.data
        for owner, start, limit in zip(
            owners.tolist(), starts.tolist(), stops.tolist(), strict=True
        ):
            at, end = start, None if most is None else len(found) + 4 * most
            while at < limit:
                if len(found) == end:
                    unusual[owner] = True
                    break
                tag, length, first = data[at], data[at + 1], at + 2
                if length >= 0x80:
                    length, first = _varint(data, at + 1)
                at = first + length
                if at > limit:
                    unusual[owner] = True
                    break
                found.extend((owner, tag, first, at))
        return Fields(*np.frombuffer(found, np.int64).reshape(-1, 4).T)

    def take(self, start: Ints, stop: Ints) -> Bytes:
        """Return the bytes of some ranges, joined."""
        length = stop - start
        total = int(length.sum())
        if total > 64 * len(start):  # copies of whole ranges are faster than single bytes
            view = memoryview(self.data)
            ranges = zip(start.tolist(), stop.tolist(), strict=True)
            return np.frombuffer(b"".join([view[i:j] for i, j in ranges]), np.uint8)
        before = np.cumsum(length) - length
        return self.bytes[np.repeat(start - before, length) + np.arange(total)]

    def hashes(self, start: Ints, length: Ints, count: int) -> tuple[Words, list[Words]]:
        """Return a hash of each range, and its first words, with zeros after its end.

        Args:
            start: Position of each range.
            length: Length of each range.
            count: Number of words; later bytes do not count.
        """
        total = length.astype(np.uint64)
        words = []
        for index in range(count):
            at = start + index * _WORD_BYTES if index else start
            inside = np.clip(length - index * _WORD_BYTES, 0, _WORD_BYTES)
            words.append(self._words[np.minimum(at, len(self._words) - 1)].view(np.uint64))
            words[-1] &= _MASKS[inside]
            total ^= words[-1]
            total *= _HASH_FACTOR
        return total, words


def _varints(word: Ints) -> tuple[Ints, Ints]:
    """Return the varint in the low bytes of each word, and its size in bytes.

    A varint of more than five bytes gets the largest length that five bytes can have.
    """
    value, size = word & 0x7F, np.ones(len(word), np.int64)
    more = (word & 0x80) != 0
    for index in range(1, _LENGTH_BYTES):
        if not more.any():
            return value, size
        byte = word >> (8 * index)
        value += np.where(more, (byte & 0x7F) << (7 * index), 0)
        size += more
        more &= (byte & 0x80) != 0
    value[more] = (1 << 35) - 1
    return value, size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the length at a position, and the position after it."""
    value = 0
    for index in range(_LENGTH_BYTES):
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    return (1 << 35) - 1, at


def _joined(steps: Sequence[Fields]) -> Fields:
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2 and not len(steps[1].owner):
        return steps[0]
    return Fields(
        np.concatenate([step.owner for step in steps]),
        np.concatenate([step.tag for step in steps]),
        np.concatenate([step.start for step in steps]),
        np.concatenate([step.stop for step in steps]),
    )


def unpacked(data: Bytes, stop: Ints) -> tuple[Ints, Ints, Flags]:
    """Read lists of varints that follow each other.

    Args:
        data: The bytes of all lists.
        stop: The position after each list.

    Returns:
        All values, the number of values of each list, and which lists are unusual.
    """
    start = np.zeros_like(stop)
    start[1:] = stop[:-1]
    is_last = data < 0x80
    if is_last.all():
        return data.astype(np.int64), stop - start, np.zeros(len(stop), np.bool_)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_last)])
    unusual = (stop > start) & ~is_last[np.maximum(stop - 1, 0)]
    ends = np.flatnonzero(is_last)
    begins = np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])[: len(ends)]
    size = ends - begins + 1
    longest = int(size.max(initial=0))
    if longest > 10:  # the longest varint has 64 bits
        of_list = np.searchsorted(stop, ends[size > 10], side="right")
        unusual[of_list] = True
    values = np.zeros(len(ends), np.int64)
    for index in range(min(longest, 10)):
        among = np.flatnonzero(size > index)
        byte = data[begins[among] + index].astype(np.int64) & 0x7F
        values[among] |= byte << (7 * index)
    return values, before[stop] - before[start], unusual
