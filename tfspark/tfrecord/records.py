"""Reads and writes the records of TFRecord files, and checks their checksums. Driver and executor.

A record is its length (8 bytes), the masked CRC-32C of the length, its bytes, and their masked
CRC-32C; https://www.tensorflow.org/tutorials/load_data/tfrecord describes the format. A file is
read in chunks of whole records. Offsets count the bytes of the file, without compression. No Spark.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from tfspark.errors import InvalidInputError, UsageError, explain
from tfspark.tfrecord.wire import PADDING, Ints, Wire

# Chunks of this size, unless a record is larger. The values of a chunk fit the caches of a CPU.
CHUNK = 1 << 20

_SIZE = struct.Struct("<Q")
_CRC = struct.Struct("<I")
# Bytes before a record, and bytes before and after it.
_HEAD = _SIZE.size + _CRC.size
_AROUND = _HEAD + _CRC.size
# A protobuf message cannot be larger.
_LARGEST = (1 << 31) - 1
_MASK = 0xA282EAD8
_Crc = TypeVar("_Crc", int, Ints)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Records:
    """The records of a chunk of a file.

    Attributes:
        file: Name of the file.
        offset: Where the chunk begins in the file.
        data: The bytes of the chunk, followed by `PADDING` more.
        start: Position in `data` of the first byte of each record.
        stop: Position after its last byte.
    """

    file: str
    offset: int
    data: bytes
    start: Ints
    stop: Ints

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> bytes:
        return self.data[self.start[index] : self.stop[index]]

    def offset_of(self, index: int) -> int:
        """Return where a record, with its length, begins in the file."""
        return self.offset + int(self.start[index]) - _HEAD


def crc32c() -> Callable[[bytes], int]:
    """Return the function that computes a CRC-32C.

    Raises:
        UsageError: When google-crc32c is not installed.
    """
    try:
        module: Any = import_module("google_crc32c")
    except ImportError as error:
        raise UsageError(
            explain(
                "TFRecord files need the package google-crc32c, which is not installed.",
                hint="install google-crc32c on the driver and the workers.",
            )
        ) from error
    return cast("Callable[[bytes], int]", module.value)


def read_records(file: str, stream: pa.NativeFile, chunk: int = CHUNK) -> Iterator[Records]:
    """Read the records of a file.

    Args:
        file: Its name, for errors.
        stream: Its bytes, without compression.
        chunk: Bytes to read at once.

    Raises:
        InvalidInputError: When a record is broken or cut; names the file and the offset.
        UsageError: When google-crc32c is not installed.
    """
    checker = _Checker(file, crc32c())
    rest, offset, missing = b"", 0, 0
    while True:
        # A broken length must not make the process allocate gigabytes.
        size = max(chunk, min(missing, len(rest)))
        more = _read(stream, size, file, offset + len(rest))
        if not more:
            break
        data = rest + more
        records, end, missing = checker.cut(data, offset)
        if len(records):
            checker.check(records)
            yield records
        rest, offset = data[end:], offset + end
    if rest:
        raise _broken(
            file,
            offset,
            f"a record of {missing + len(rest)} bytes" if missing else "a whole record",
            f"the file ends after {len(rest)} bytes of the record",
        )


@dataclass(frozen=True)
class _Checker:
    """Finds and checks records.

    Attributes:
        file: Name of the file.
        crc: Computes a CRC-32C.
    """

    file: str
    crc: Callable[[bytes], int]

    def cut(self, data: bytes, offset: int) -> tuple[Records, int, int]:
        """Find the whole records in some bytes.

        Returns:
            The records, where they end, and how many bytes of the next one are missing, if known.
        """
        heads, at, unpack = [], 0, _SIZE.unpack_from
        last = len(data) - _HEAD
        while at <= last:
            heads.append(at)
            at += unpack(data, at)[0] + _AROUND
        wire, found = Wire(data + bytes(PADDING)), np.array(heads, np.int64)
        lengths = wire.words(found)
        self._check_lengths(data, offset + found, lengths, wire.words(found + 8) & 0xFFFFFFFF)
        missing = max(at - len(data), 0) if heads else 0
        if missing:
            at = heads[-1]
            found, lengths = found[:-1], lengths[:-1]
        start = found + _HEAD
        return Records(self.file, offset, wire.data, start, start + lengths), at, missing

    def _check_lengths(self, data: bytes, offsets: Ints, lengths: Ints, written: Ints) -> None:
        """Compare the checksums of lengths; equal lengths have equal checksums."""
        different, place = np.unique(lengths, return_inverse=True)
        sizes = [_SIZE.pack(length) for length in different.view(np.uint64).tolist()]
        computed = _masked(np.array([self.crc(size) for size in sizes], np.int64))[place]
        bad = np.flatnonzero((computed != written) | (lengths < 0) | (lengths > _LARGEST))
        if not len(bad):
            return
        index = int(bad[0])
        if computed[index] == written[index]:
            raise _broken(
                self.file,
                int(offsets[index]),
                "a record of less than 2 GiB",
                f"a length of {lengths[index]} bytes",
            )
        is_gzip = not offsets[index] and data.startswith(_GZIP)
        raise _broken(
            self.file,
            int(offsets[index]),
            f"the checksum {computed[index]:08x} of its length",
            f"{written[index]:08x}",
            "the file is compressed by gzip: give it a name that ends in .gz." if is_gzip else "",
        )

    def check(self, records: Records) -> None:
        """Compare the checksums of records.

        Raises:
            InvalidInputError: Names the first bad record.
        """
        data, crc = records.data, self.crc
        ranges = zip(records.start.tolist(), records.stop.tolist(), strict=True)
        computed = _masked(np.array([crc(data[i:j]) for i, j in ranges], np.int64))
        written = Wire(data).words(records.stop) & 0xFFFFFFFF
        bad = np.flatnonzero(computed != written)
        if len(bad):
            index = int(bad[0])
            raise _broken(
                self.file,
                records.offset_of(index),
                f"the checksum {computed[index]:08x} of its bytes",
                f"{written[index]:08x}",
            )


def framed(records: Iterable[bytes]) -> Iterator[bytes]:
    """Return the bytes of a TFRecord file with these records, in pieces.

    Raises:
        UsageError: When google-crc32c is not installed.
    """
    crc = crc32c()
    heads: dict[int, bytes] = {}
    for record in records:
        length = len(record)
        if length not in heads:
            size = _SIZE.pack(length)
            heads[length] = size + _CRC.pack(_masked(crc(size)))
        yield heads[length]
        yield record
        yield _CRC.pack(_masked(crc(record)))


def _masked(crc: _Crc) -> _Crc:
    """Return the form in which a CRC is stored."""
    return (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF


def _read(stream: pa.NativeFile, size: int, file: str, offset: int) -> bytes:
    try:
        return stream.read(size)
    except (OSError, pa.ArrowException) as error:  # a compressed stream that is broken or cut
        raise _broken(file, offset, "readable bytes", str(error)) from error


def _broken(file: str, offset: int, expected: str, found: str, hint: str = "") -> InvalidInputError:
    return InvalidInputError(
        explain(
            f"The record at byte {offset} of {file} is broken.",
            expected=expected,
            found=found,
            hint=hint or "copy or write the file again; its records before this byte are intact.",
        )
    )
