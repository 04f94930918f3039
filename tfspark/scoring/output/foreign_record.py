"""Reads the records of a commit, which other programs can write. Driver.

Everybody who can write beside the output can put a file into the hidden folder. So a record is only
used if it has the form of ours, and if its names stay inside the folder that they belong to.
Otherwise the error names the place, and nothing is deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tfspark.errors import OutputBusyError, explain
from tfspark.scoring.output.store import Store
from tfspark.scoring.run_name import is_run_name

_R = TypeVar("_R")


def read_record(store: Store, path: str, parse: Callable[[str], _R]) -> _R | None:
    """Return the record in a file; `None` when there is no file.

    Args:
        store: The file system.
        path: The file.
        parse: Makes the record from the text.

    Raises:
        OutputBusyError: The file is not one that a job writes.
    """
    text = store.read(path)
    return None if text is None else parsed(text, parse, f"The file {path}")


def parsed(text: str, parse: Callable[[str], _R], what: str) -> _R:
    """Return the record in a text; `what` names its place at the beginning of the error.

    Raises:
        OutputBusyError: The text is not one that a job writes.
    """
    try:
        return parse(text)
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise OutputBusyError(
            explain(
                f"{what} is not one that a job writes.",
                expected="a record of the commit, as a job writes it",
                found=f"{type(error).__name__}: {error}",
                hint="find out who wrote it, and take it away; then run the same command again.",
            )
        ) from error


def as_text(value: Any) -> str:
    """Return a text; raise `TypeError` for other values."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def as_record(value: Any) -> dict[str, Any]:
    """Return an object of JSON; raise `TypeError` for other values."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is not an object")
    return value


def as_run(value: Any) -> str:
    """Return the name of a run; raise `ValueError` for a name that could lead to another folder."""
    if not is_run_name(value):
        raise ValueError(f"{value!r} is not the name of a run")
    return as_text(value)


def as_texts(value: Any) -> list[str]:
    """Return a list of texts; raise `TypeError` for other values."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return [as_text(one) for one in value]


def as_names_inside(value: Any) -> list[str]:
    """Return a list of relative paths; raise `ValueError` if one could lead out of its folder.

    Hadoop resolves `..`, `.` and empty parts, so none of them is allowed.
    """
    names = as_texts(value)
    for name in names:
        if {"", ".", ".."} & set(name.split("/")) or "\0" in name:
            raise ValueError(f"{name!r} is not the name of a file in the folder")
    return names
