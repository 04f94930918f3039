"""Linux's `renameat2`: a rename that never replaces, and the exchange of two folders. Driver.

Both are one atomic operation of the kernel. Other systems and some file systems, such as NFS, do
not have them; the functions then return `False`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from typing import Any

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


def rename_if_absent(source: str, target: str) -> bool:
    """Rename a file or folder; `False` where the system cannot do it without replacing.

    Raises:
        FileExistsError: There is a target.
        FileNotFoundError: There is no source, or no folder for the target.
    """
    return _renameat2(source, target, _NOREPLACE)


def exchange(one: str, other: str) -> bool:
    """Exchange two files or folders; `False` where the system cannot.

    Raises:
        FileNotFoundError: When one of them does not exist.
    """
    return _renameat2(one, other, _EXCHANGE)


def _renameat2(source: str, target: str, flags: int) -> bool:
    function = _function()
    if function is None:
        return False
    names = os.fsencode(source), os.fsencode(target)
    if function(_AT_FDCWD, names[0], _AT_FDCWD, names[1], flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), source, None, target)


@cache
def _function() -> Any:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
