"""Memory that Python objects of a call take, without those of other threads of the process."""

import tracemalloc
from collections.abc import Callable


def least_peak(call: Callable[[], object], tries: int = 3) -> int:
    """The smallest peak of a few calls, in bytes.

    `tracemalloc` counts the allocations of every thread, and the first call may import modules. A
    thread of another test, or an import, cannot make all calls larger.
    """
    peaks = []
    for _ in range(tries):
        tracemalloc.start()
        try:
            call()
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return min(peaks)
