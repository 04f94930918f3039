"""Packs a model into an archive on the driver, and unpacks it on a node.

`pack` writes an export dir as an uncompressed tar, and `unpack` extracts it into a folder.

Invariants: the archive depends only on names and contents, so equal models give equal archives;
files are streamed and never held in memory. `unpack` does not trust the archive: it creates only
regular files below its folder, each once, with at most the size of the model. It parses members
itself and accepts only the format that `pack` writes, because `tarfile` reads names and sparse maps
of any length into memory, and some releases of Python 3.10 and 3.11 lack its safe filters.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tfspark.errors import InvalidModelError, explain
from tfspark.saved_model.files import LONGEST_PATH, MOST_ENTRIES, files, is_too_long

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

# When a name or size does not fit into a header, `tarfile` writes it as a record before the header.
_KEYWORDS = (b"path", b"size", b"hdrcharset")
_MOST_RECORDS = LONGEST_PATH + _BLOCK  # bytes
_MOST_DIGITS = 19


def pack(export_dir: Path, target: BinaryIO | io.RawIOBase) -> None:
    """Write an export dir to `target` as an uncompressed tar with only names and contents."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for relative, path in files(export_dir):
            info = tarfile.TarInfo(relative)
            info.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(info, content)


def unpack(archive: BinaryIO, target: Path, size: int) -> None:
    """Extract an archive of `pack` into the folder `target`, which is empty or does not exist.

    Args:
        archive: An archive from `pack`; it is read once, from start to end.
        target: The folder for the files.
        size: Bytes of all files of the model; an archive with more bytes is refused.

    Raises:
        InvalidModelError: When the archive is cut off, or contains anything but the model's files.
    """
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    entries: set[str] = set()
    for name, length in _members(archive):
        _check(name)
        entries.update((name, *map(str, PurePosixPath(name).parents[:-1])))
        size -= length
        if size < 0 or length < 0 or len(entries) > MOST_ENTRIES:
            raise _refusal(f"more than the model has, from {name!r} on")
        _extract(archive, name, length, target)


def _members(archive: BinaryIO) -> Iterator[tuple[str, int]]:
    """Yield name and length of every member; the caller reads its content before the next one."""
    while True:
        block = _read(archive, _BLOCK)
        if not any(block):  # the end
            return
        header = _header(block)
        records: dict[bytes, bytes] = {}
        if header.type == tarfile.XHDTYPE:
            records = _records(archive, header.size)
            header = _header(_read(archive, _BLOCK))
        name = header.name
        if b"path" in records:
            name = records[b"path"].decode("utf-8", "surrogateescape")
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise _refusal(f"{name!r}, which is not a file")
        yield name, _number(records[b"size"]) if b"size" in records else header.size


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError as error:
        raise _refusal(f"a broken header: {error}") from error


def _records(archive: BinaryIO, length: int) -> dict[bytes, bytes]:
    """Read the records `<length> <keyword>=<value>` before a header."""
    if not 0 < length <= _MOST_RECORDS:
        raise _refusal(f"{length} bytes of records before a header")
    rest = _read(archive, length)
    _read(archive, -length % _BLOCK)
    found = {}
    while rest:
        digits, _, _ = rest.partition(b" ")
        end = _number(digits)
        keyword, equals, value = rest[len(digits) + 1 : end].partition(b"=")
        if not equals or not value.endswith(b"\n") or keyword not in _KEYWORDS or keyword in found:
            raise _refusal(f"the record {rest[:40]!r} before a header")
        found[keyword] = value[:-1]
        rest = rest[end:]
    return found


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise _refusal(f"{digits[:40]!r} in place of a number")
    return int(digits)


def _read(archive: BinaryIO, length: int) -> bytes:
    content = archive.read(length)
    if len(content) != length:
        raise _refusal("an archive that is cut off")
    return content


def _check(name: str) -> None:
    """Refuse a name that `pack` would not have written."""
    path = PurePosixPath(name)
    plain = path.parts and not path.is_absolute() and ".." not in path.parts and "\0" not in name
    if not plain or str(path) != name:
        raise _refusal(f"{name[:LONGEST_PATH]!r}, which is not a name inside the model")
    if is_too_long(name):
        raise _refusal(f"{name!r}, whose name is too long or has too many levels of folders")


def _extract(archive: BinaryIO, name: str, length: int, folder: Path) -> None:
    """Write one file and the folders above it; only this user can use them, under any umask."""
    try:
        for above in reversed((folder / name).parents[: name.count("/")]):
            above.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / name, _CREATE, 0o600)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refusal(f"{name!r} twice") from error
    with os.fdopen(descriptor, "wb") as target:
        for start in range(0, length, _CHUNK):
            target.write(_read(archive, min(_CHUNK, length - start)))
    _read(archive, -length % _BLOCK)


def _refusal(found: str) -> InvalidModelError:
    return InvalidModelError(
        explain(
            "The archive of a model cannot be unpacked.",
            expected="an archive that ModelPackage.pack wrote",
            found=found,
        )
    )
