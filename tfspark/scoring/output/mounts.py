"""Finds the type of the file system behind a local path. Driver.

FUSE file systems are programs of users. Many of them, such as s3fs, goofys and gcsfuse, show an
object store as a folder; they copy files instead of renaming them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")
_DISKS = ("fuseblk",)  # file systems of real disks, such as NTFS


def type_at(path: str, mounts: Path = _MOUNTS) -> str:
    """Return the type of the file system at a path, such as `ext4`; empty if it is not known.

    Args:
        path: A local path; it need not exist.
        mounts: The list of mounts that Linux keeps for each process.
    """
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:  # another system than Linux
        return ""
    place, found, longest = os.path.realpath(path), "", 0
    for line in lines:
        mount, kind = _mount_of(line)
        # The last of several mounts on one folder hides the others.
        if len(mount) >= longest and f"{place}/".startswith(f"{mount}/"):
            found, longest = kind, len(mount)
    return found


def is_fuse(kind: str) -> bool:
    """Whether a type of file system is FUSE and no disk."""
    return kind.startswith("fuse") and kind not in _DISKS


def _mount_of(line: str) -> tuple[str, str]:
    """Return mount point and type of a line; optional fields end with a hyphen."""
    fields, _, about = line.partition(" - ")
    point = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields.split(" ")[4])
    return point.rstrip("/"), about.partition(" ")[0]
