"""Standard streams to which a command can always write. Driver.

A shell may close a stream (`>&-`), its encoding may lack a character, and the reader of a pipe may
end early (`| head`). None of this may change the result of a job.
"""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Replace closed streams, and escape characters that the encoding of a stream lacks."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nothing = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, io.TextIOWrapper(io.FileIO(nothing, "w"), "utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write_out(text: str) -> None:
    """Write text to stdout; it is lost if the reader has ended."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise Python fails again when it flushes the stream at its end.
        # Source: "Note on SIGPIPE" in the documentation of Python's module signal.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
