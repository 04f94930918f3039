"""Writes a local file as a whole: readers see the old text or the new one, never a part. Driver.

A file that a container has mounted cannot be replaced, so it is written in place.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from uuid import uuid4

# Devices and open files of a process, such as `/dev/stdout`, which may be a regular file.
_SPECIAL = ("/dev/", "/proc/")


def write_whole(place: Path, text: str, *, is_private: bool = False) -> None:
    """Write a file; an existing file is replaced, and keeps its permissions.

    A pipe or a device is written directly. A link stays, and its target is replaced.

    Args:
        place: The file; its folder must exist.
        text: Its text.
        is_private: Whether only this user can read a new file.

    Raises:
        OSError: The file cannot be written. An existing file has not changed, unless it is mounted.
    """
    is_special = str(place.absolute()).startswith(_SPECIAL)
    if is_special or (place.exists() and not place.is_file()):
        place.write_text(text, "utf-8")
        return
    place = place.resolve()
    part = place.with_name(f".tfspark-{uuid4().hex}")
    try:
        part.touch(mode=0o600 if is_private else 0o666)
        part.write_text(text, "utf-8")
        if place.exists():
            shutil.copymode(place, part)
        try:
            os.replace(part, place)  # noqa: PTH105
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            place.write_text(text, "utf-8")  # a container has mounted this file
    finally:
        part.unlink(missing_ok=True)
