"""The exception tree of tfspark, and the one way its messages are built.

Every error that a user can cause is a `TfsparkError` and, where a built-in exists that a caller
would catch anyway (`FileNotFoundError`, `ValueError`, …), that built-in too. Raised on the driver
whenever the cause can be known before a task starts; on an executor otherwise.

Invariants: one string argument, so that every error survives pickling between worker and driver;
every message is escaped and masked by `foreign_text`, however it was made;
`exit_code` is what a job ends with, in the words of sysexits (2 usage, 65 data, 66 no input,
70 internal, 73 cannot create, 75 try again).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

from tfspark.foreign_text import lines, one_line, quoted_lines


class TfsparkError(Exception):
    """Any error that tfspark raises on purpose."""

    exit_code: ClassVar[int] = 70

    def __init__(self, *args: object) -> None:
        # Not every message is built by `explain`; each can contain names and text from outside.
        super().__init__(*(lines(one) if isinstance(one, str) else one for one in args))

    def __str__(self) -> str:
        # KeyError would show the repr of its argument; every child prints its message as it is.
        return str(self.args[0]) if self.args else ""


class UsageError(TfsparkError, ValueError):
    """An option or argument that cannot be used as given."""

    exit_code = 2


class ModelNotFoundError(TfsparkError, FileNotFoundError):
    """No SavedModel, or not the version asked for, at a path."""

    exit_code = 65


class InvalidModelError(TfsparkError, ValueError):
    """A SavedModel that is there but broken, incomplete or changed."""

    exit_code = 65


class ForbiddenOperationError(TfsparkError, PermissionError):
    """A SavedModel with operations that touch more than tensors and are not allowed."""

    exit_code = 65


class SignatureNotFoundError(TfsparkError, KeyError):
    """A SavedModel without the signature or the tag set asked for."""

    exit_code = 65


class UnsupportedTypeError(TfsparkError, TypeError):
    """A type that has no counterpart on the other side of the table in `dtypes`."""

    exit_code = 65


class BindingError(TfsparkError, ValueError):
    """Inputs and columns that do not fit; the message lists every mismatch."""

    exit_code = 65


class RowError(TfsparkError, ValueError):
    """A row that cannot be fed as it is; the message names model, partition, row and column."""

    exit_code = 65


class EngineError(TfsparkError, RuntimeError):
    """The engine could not load or run the model."""

    exit_code = 65


class InvalidInputError(TfsparkError, ValueError):
    """Input of a job that is there but broken, of another schema, or changed during the job."""

    exit_code = 65


class InputNotFoundError(TfsparkError, FileNotFoundError):
    """No input of a job at the path or table given."""

    exit_code = 66


class OutputExistsError(TfsparkError, FileExistsError):
    """The output of a job is there already and the mode does not allow to touch it."""

    exit_code = 73


class OutputBusyError(TfsparkError, BlockingIOError):
    """Another job writes to the output, or took it over; the same command can be run again."""

    exit_code = 75


def explain(problem: str, *, expected: str = "", found: str = "", hint: str = "") -> str:
    """Compose one message: the problem, what was expected, what was found, the next step.

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
    """Compose one message of several mismatches, their count first."""
    count = f"{len(mismatches)} mismatch{'es' if len(mismatches) != 1 else ''}"
    parts = [f"{one_line(problem)}: {count}", *(f"  - {one_line(one)}" for one in mismatches)]
    if hint:
        parts.append(f"Hint: {one_line(hint)}")
    return "\n".join(parts)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest known name, or an empty string."""
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


def listing(names: Iterable[str]) -> str:
    """Quote and join names for a message: `'a', 'b'`, or `none`."""
    return ", ".join(repr(name) for name in names) or "none"
