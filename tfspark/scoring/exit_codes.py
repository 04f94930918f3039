"""The exit codes of the job programs, for their help and the READMEs. Driver.

The numbers come from sysexits. This module imports nothing heavy, so that `--help` is fast.
"""

from __future__ import annotations

from collections.abc import Mapping

DONE = 0
REFUSED = 65
BUG = 70
INPUT_OUTPUT = 74
TRY_AGAIN = 75
INTERRUPTED = 130
TERMINATED = 143

EXIT_CODES: Mapping[int, str] = {
    DONE: "done",
    2: "usage",
    REFUSED: "model, data or SQL",
    66: "no input",
    BUG: "a bug",
    73: "the output exists or cannot be created",
    INPUT_OUTPUT: "an I/O error",
    TRY_AGAIN: "try again",
    INTERRUPTED: "interrupted",
    TERMINATED: "terminated",
}


def in_words() -> str:
    """Return the table as one sentence."""
    return "Exit codes: " + ", ".join(f"{code} {text}" for code, text in EXIT_CODES.items()) + "."
