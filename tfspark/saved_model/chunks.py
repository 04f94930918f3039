"""Cuts a stream of bytes into chunks, and reads chunks as a stream. Driver and executor.

A packed model can be larger than the memory of a process. `ChunkWriter` passes on each chunk as
soon as it is full, and `ChunkReader` asks for a chunk only when it needs its first byte.

Invariant: at most one chunk is in memory. The producer of the chunks must not keep them either.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Sent = TypeVar("Sent")


class ChunkWriter(io.RawIOBase, Generic[Sent]):
    """A stream to write, which passes on its content in chunks.

    Args:
        size: Bytes of each chunk; the last one may be smaller.
        send: Takes a chunk.

    Attributes:
        sent: What `send` returned for each chunk, in order.
    """

    def __init__(self, size: int, send: Callable[[bytes], Sent]) -> None:
        self._size = size
        self._send = send
        self.sent: list[Sent] = []
        self._chunk = io.BytesIO()

    def writable(self) -> bool:
        """Return `True`: the stream can be written."""
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        """Add bytes; send each chunk that is full."""
        rest = memoryview(content).cast("B")
        count = len(rest)
        while rest:
            rest = rest[self._chunk.write(rest[: self._size - self._chunk.tell()]) :]
            if self._chunk.tell() == self._size:
                self._send_chunk()
        return count

    def finish(self) -> None:
        """Send the last chunk."""
        if self._chunk.tell():
            self._send_chunk()

    def _send_chunk(self) -> None:
        full, self._chunk = self._chunk, io.BytesIO()
        self.sent.append(self._send(full.getvalue()))  # shares the memory of `full`


class ChunkReader(io.RawIOBase):
    """A stream of all bytes of some chunks, which can be read once, from start to end."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return `True`: the stream can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer up to the end of the current chunk; 0 at the end of the last chunk."""
        while not self._rest:
            self._rest = memoryview(b"")  # frees the old chunk before the next one is loaded
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
