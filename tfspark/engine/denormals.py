"""TensorFlow's floating-point mode, for a run in the caller's own thread: denormals are zero.

Executor only. TensorFlow's thread pools flush denormal results to zero and read denormal operands
as zero (tsl/platform/denormal.h), but a session that runs in its caller's thread leaves that
thread's mode alone. Then a small batch would give denormals where TensorFlow's Python gives zeros,
and a large one both, according to the thread that computed a part of it.

Invariants: the mode is that of the calling thread alone, and is as before when the block ends;
where the layout of C's `fenv_t` is not known here, nothing changes. A block costs 2 to 3 µs.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from ctypes import addressof, c_int, c_uint32, c_void_p
from typing import Any

# Which 32-bit word of `fenv_t` is the control register, and the bits in it that flush results and
# operands: FTZ and DAZ of MXCSR, FZ of FPCR. The same for glibc and musl.
_CONTROL = {("linux", "x86_64"): (7, 0x8040), ("linux", "aarch64"): (0, 1 << 24)}

_Environment: Any = c_uint32 * 16  # more than any `fenv_t` takes

_libc = ctypes.PyDLL(None)  # calls keep the interpreter's lock
for _function in (_libc.fegetenv, _libc.fesetenv):
    _function.argtypes, _function.restype = (c_void_p,), c_int


def _flushing() -> Any:
    """Return this thread's environment with denormals flushed; `None` where it is not known how."""
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
    """A block in which this thread computes as TensorFlow's own threads do."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        if _FLUSHING is not None:
            self._before = _Environment()
            _libc.fegetenv(addressof(self._before))
            _libc.fesetenv(addressof(_FLUSHING))

    def __exit__(self, *_: object) -> None:
        if _FLUSHING is not None:
            _libc.fesetenv(addressof(self._before))
