"""SIGTERM ends a job as Ctrl-C does. Driver.

The job lets other jobs write to its output, and keeps the files with which the same command can
continue.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Raise `TerminatedError` in the block on SIGTERM; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        # Python cannot restore a handler that was not set from Python.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise TerminatedError("terminated")
