"""The archive in which a model travels: packed on the driver, unpacked on a node.

`pack` writes an export dir as an uncompressed tar, and `unpack` fills a folder from one.

Invariants: packing depends on names and contents alone, so equal models make equal archives; both
ways stream, with no file in memory; unpacking trusts nothing in the archive: it makes regular files
below its folder, each once, with no more bytes than the model has, and no links or devices. It does
without `TarFile.extractall`, whose filters are not in every Python 3.10 and 3.11.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tfspark.errors import InvalidModelError, explain
from tfspark.saved_model.files import MOST_ENTRIES, files


def pack(export_dir: Path, target: BinaryIO) -> None:
    """Write an export dir to `target` as an uncompressed tar of names and contents alone."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for relative, path in files(export_dir):
            info = tarfile.TarInfo(relative)
            info.size = path.stat().st_size
            with path.open("rb") as content:
                archive.addfile(info, content)


def unpack(archive: BinaryIO, target: Path, size: int) -> None:
    """Extract what `pack` wrote into the folder `target`, which is empty or not there.

    Args:
        archive: What `pack` wrote, read once from front to back.
        target: The folder to fill.
        size: Bytes of all files of the model; an archive that holds more is refused.

    Raises:
        InvalidModelError: When the archive is cut off, or holds anything but files of the model.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for count, member in enumerate(tar, 1):
                size -= member.size
                _check(member, is_too_much=size < 0 or count > MOST_ENTRIES)
                _extract(tar, member, target / member.name)
    except tarfile.TarError as error:
        raise _refusal(str(error)) from error


def _check(member: tarfile.TarInfo, *, is_too_much: bool) -> None:
    """Refuse a member that `pack` would not have written."""
    name = PurePosixPath(member.name)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        raise _refusal(f"{member.name!r}, which is not a file")
    if not name.parts or name.is_absolute() or ".." in name.parts or "\0" in member.name:
        raise _refusal(f"{member.name!r}, which is not a name inside the model")
    if is_too_much or member.size < 0:
        raise _refusal(f"more than the model has, from {member.name!r} on")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise _refusal(f"{member.name!r} twice") from error
    with target:
        if content is not None:
            shutil.copyfileobj(content, target, 1 << 20)


def _refusal(found: str) -> InvalidModelError:
    return InvalidModelError(
        explain(
            "The archive of a model cannot be unpacked.",
            expected="an archive that ModelPackage.pack wrote",
            found=found,
        )
    )
