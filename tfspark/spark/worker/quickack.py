"""Acknowledges the packets of a worker's TCP connection at once. Executor, Linux.

Spark's JVM begins each task with several small writes and leaves Nagle's algorithm on, so a write
waits for the acknowledgement of the previous one. The worker's kernel delays the acknowledgement
for 40 ms, because there is nothing to answer yet. Every Python task over TCP costs these 40 ms.
Unix domain sockets (`spark.python.unix.domain.socket.enabled`) have no such delay, and are not
changed.

Invariant: the stream returns the same bytes as Spark's own, without another copy.
"""

from __future__ import annotations

import io
import socket
from typing import Any, BinaryIO

# tcp(7): the kernel returns to delayed mode, so the option must be set before every read.
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def acknowledged_at_once(stream: BinaryIO, connection: socket.socket) -> BinaryIO:
    """Return a stream that reads the same bytes, and acknowledges each packet when it arrives.

    Args:
        stream: A buffered reader over the connection; it may hold bytes already.
        connection: The socket.
    """
    if _QUICKACK is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return stream
    return io.BufferedReader(_Prompt(stream, connection), io.DEFAULT_BUFFER_SIZE * 8)


class _Prompt(io.RawIOBase):
    """A buffered reader and its socket, as a raw stream."""

    def __init__(self, stream: Any, connection: socket.socket) -> None:
        self._stream = stream
        self._connection = connection

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def readinto(self, buffer: Any) -> int:
        if _QUICKACK is not None:
            self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return int(self._stream.readinto1(buffer))
