"""The exceptions of tfspark, and the functions that build their messages. Driver and executor.

Every error that a user can cause is a `TfsparkError`. It also inherits the built-in that a caller
would catch (`FileNotFoundError`, `ValueError`, …). It is raised on the driver if the cause can be
known before a task starts, otherwise on an executor.

Invariants: an error has one string argument, so that it can be pickled between worker and driver;
`foreign_text` escapes and masks every message; `exit_code` is the exit code of a job that fails
with this error, as in sysexits; `scoring.exit_codes` lists all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

from tfspark.foreign_text import lines, one_line, quoted_lines

# Names or mismatches in one message: a hostile model can have a million signatures.
_LISTED = 50


class TfsparkError(Exception):
    """Any error that tfspark raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __init__(self, *args: object) -> None:
        # Not every message is built by `explain`; each can contain names and text from outside.
        super().__init__(*(lines(value) if isinstance(value, str) else value for value in args))

    def __str__(self) -> str:
        # KeyError would print the repr of its argument instead of the message.
        return str(self.args[0]) if self.args else ""


class UsageError(TfsparkError, ValueError):
    """An option or argument with an invalid value."""

    exit_code = 2


class ModelNotFoundError(TfsparkError, FileNotFoundError):
    """A path without a SavedModel, or without the requested version."""

    exit_code = 65


class InvalidModelError(TfsparkError, ValueError):
    """A SavedModel that is broken, incomplete or changed."""

    exit_code = 65


class ForbiddenOperationError(TfsparkError, PermissionError):
    """A SavedModel with operations that do more than compute and are not allowed."""

    exit_code = 65


class SignatureNotFoundError(TfsparkError, KeyError):
    """A SavedModel without the requested signature or tag set."""

    exit_code = 65


class UnsupportedTypeError(TfsparkError, TypeError):
    """A type that has no counterpart on the other side of the table in `dtypes`."""

    exit_code = 65


class BindingError(TfsparkError, ValueError):
    """Inputs and columns that do not match; the message lists every mismatch."""

    exit_code = 65


class RowError(TfsparkError, ValueError):
    """A row that cannot be scored; the message names model, partition, row and column."""

    exit_code = 65


class EngineError(TfsparkError, RuntimeError):
    """The engine could not load or run the model."""

    exit_code = 65


class InvalidInputError(TfsparkError, ValueError):
    """Input of a job that is broken, has another schema, or changed during the job."""

    exit_code = 65


class InputNotFoundError(TfsparkError, FileNotFoundError):
    """A path or table without input for a job."""

    exit_code = 66


class OutputExistsError(TfsparkError, FileExistsError):
    """The output of a job exists, and the mode does not allow the job to change it."""

    exit_code = 73


class NoSpaceError(TfsparkError, OSError):
    """Too little space for the output of a job."""

    exit_code = 74


class OutputBusyError(TfsparkError, BlockingIOError):
    """Another job writes to the output, or took it over; the same command can be run again."""

    exit_code = 75


class UnfinishedOutputError(TfsparkError, RuntimeError):
    """The job decided to publish, but not all rows may be visible; the same command finishes it."""

    exit_code = 75


class TimeLimitError(TfsparkError, TimeoutError):
    """A model that did not load, or did not answer, within the time limit."""

    exit_code = 75


class WorkerLostError(TfsparkError, ChildProcessError):
    """A process of Spark that ended during the job and gave no reason."""

    exit_code = 75


def explain(problem: str, *, expected: str = "", found: str = "", hint: str = "") -> str:
    """Build a message: the problem, the expected and the found value, and a hint.

    Line breaks in a part are escaped. Only `found`, which may be the message of another program,
    keeps its line breaks; its further lines are indented.
    """
    parts = [one_line(problem)]
    if expected:
        parts.append(f"  expected: {one_line(expected)}")
    if found:
        parts.append(f"  found:    {quoted_lines(found)}")
    if hint:
        parts.append(f"Hint: {one_line(hint)}")
    return "\n".join(parts)


def explain_all(problem: str, mismatches: Sequence[str], *, hint: str = "") -> str:
    """Build a message that counts mismatches and lists at most 50 of them."""
    count = f"{len(mismatches)} mismatch{'es' if len(mismatches) != 1 else ''}"
    listed = [f"  - {one_line(mismatch)}" for mismatch in shortened(mismatches)]
    parts = [f"{one_line(problem)}: {count}", *listed]
    if hint:
        parts.append(f"Hint: {one_line(hint)}")
    return "\n".join(parts)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest known name, or an empty string."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def listing(names: Iterable[str]) -> str:
    """Quote and join names for a message: `'a', 'b'`, or `none`; at most 50, then a count."""
    return ", ".join(shortened([repr(name) for name in names])) or "none"


def shortened(texts: Sequence[str], most: int = _LISTED) -> list[str]:
    """Return the first texts, at most 50 by default, then the count of the others."""
    more = len(texts) - most
    return [*texts[:most], f"and {more} more"] if more > 0 else list(texts)
