"""Looks up whether an operation only computes, or what else it uses.

Reads the two lists in this folder. An operation in neither list is a custom operation, or newer
than the lists; it is treated as unknown code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

UNKNOWN = "unknown code: the operation is in neither of tfspark's lists"

_SECTION = re.compile(r"\[(.+)\]")


def touches(op: str) -> str | None:
    """Return what an operation touches besides its tensors; `None` when it only computes."""
    if op in _allowed():
        return None
    return _refused().get(op, UNKNOWN)


@cache
def _allowed() -> frozenset[str]:
    return frozenset(word for line in _lines("allowed.txt") for word in line.split())


@cache
def _refused() -> dict[str, str]:
    found: dict[str, str] = {}
    section = ""
    for line in _lines("refused.txt"):
        if heading := _SECTION.fullmatch(line):
            section = heading[1]
        else:
            found |= dict.fromkeys(line.split(), section)
    return found


def _lines(name: str) -> Iterator[str]:
    """Yield the lines of a list without comments."""
    text = files(__package__).joinpath(name).read_text("utf-8")  # also out of a zip
    return (line for line in text.splitlines() if not line.startswith("#"))
