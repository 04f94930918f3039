"""Treats denormal numbers as zero during a run in the caller's thread, as TensorFlow does.

Executor only. TensorFlow's thread pools flush denormal results to zero and read denormal operands
as zero (tsl/platform/denormal.h). A session that runs in its caller's thread does not change the
mode of that thread. A small batch would then give denormals where TensorFlow's Python gives zeros,
and a large batch would give both, depending on the thread that computed each part.

Invariants: only the mode of the calling thread changes, and it is restored when the block ends.
Nothing changes on platforms whose layout of C's `fenv_t` is not listed here. A block costs 2 to
3 µs.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from ctypes import addressof, c_int, c_uint32, c_void_p
from typing import Any

# The index of the control register among the 32-bit words of `fenv_t`, and the bits that flush
# results and operands: FTZ and DAZ of MXCSR, FZ of FPCR. The same for glibc and musl.
_CONTROL = {("linux", "x86_64"): (7, 0x8040), ("linux", "aarch64"): (0, 1 << 24)}

_Environment: Any = c_uint32 * 16  # more than any `fenv_t` takes

_libc = ctypes.PyDLL(None)  # calls keep the interpreter's lock
for _function in (_libc.fegetenv, _libc.fesetenv):
    _function.argtypes, _function.restype = (c_void_p,), c_int


def _flushing() -> Any:
    """Return this thread's environment with denormals flushed; `None` on other platforms."""
    control = _CONTROL.get((sys.platform, platform.machine()))
    if control is None:
        return None
    environment = _Environment()
    _libc.fegetenv(addressof(environment))
    word, bits = control
    environment[word] |= bits
    return environment


_FLUSHING = _flushing()


class DenormalsAreZero:
    """A block in which this thread flushes denormals, as TensorFlow's own threads do."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        if _FLUSHING is not None:
            self._before = _Environment()
            _libc.fegetenv(addressof(self._before))
            _libc.fesetenv(addressof(_FLUSHING))

    def __exit__(self, *_: object) -> None:
        if _FLUSHING is not None:
            _libc.fesetenv(addressof(self._before))
