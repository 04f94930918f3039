"""Detects from the metadata of files whether they have changed since they were read. Driver.

Each change of a file updates its ctime (the time of the last status change). Programs can set the
modification time, but not the ctime. No content is read, and nothing is written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

# Name, device, inode, size, modification time and ctime of each file.
State: TypeAlias = tuple[tuple[str, int, int, int, int, int], ...]

# Two changes within one tick of a file system's clock have equal times. Ticks last up to 2 s.
TICK_SECONDS = 2.0


def state_of(listed: Iterable[tuple[str, Path]]) -> State | None:
    """Return a value that changes if a file is changed, replaced, added or removed.

    Args:
        listed: Relative name and path of every file.

    Returns:
        The state; `None` if a file has changed so recently that another change could go unnoticed.
    """
    found = [(name, _status(path)) for name, path in listed]
    newest = max((status.st_ctime for _, status in found), default=0.0)
    if newest > time.time() - TICK_SECONDS:
        return None
    return tuple(
        (name, one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
        for name, one in found
    )


def _status(path: Path) -> os.stat_result:
    """Return the status of an open file: NFS may answer `stat` from an old copy, but not `open`."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.fstat(file)
    finally:
        os.close(file)
