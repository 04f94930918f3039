"""Runs each job in its own driver: a forked process that shares Spark's JVM.

Such a driver starts in milliseconds, and can be killed for real. A thread of its own runs the job,
because a thread has its own connection to the JVM: the connection of the parent stays as it is.
"""

from __future__ import annotations

import gc
import os
import threading
import traceback
import warnings
from collections.abc import Callable

BUG = 70


def start(run: Callable[[], int]) -> int:
    """Fork a driver that runs a job and exits with its code; return the number of the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of the threads
        pid = os.fork()
    if pid == 0:
        _run_and_exit(run)
    return pid


def end_of(pid: int) -> int:
    """Wait for a driver; return its exit code, or the negative number of the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(job: Callable[[], int]) -> int:
    """Run a job in its own driver."""
    return end_of(start(job))


def _run_and_exit(run: Callable[[], int]) -> None:
    gc.disable()  # collecting a proxy here would delete its object in the JVM of the parent
    codes = [BUG]

    def body() -> None:
        try:
            codes.append(run())
        except BaseException:
            os.write(2, traceback.format_exc().encode())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    os._exit(codes[-1])
