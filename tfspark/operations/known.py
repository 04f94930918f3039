"""Looks up whether an operation only computes, what else it uses, and whether it is random.

Reads the lists in this folder. An operation that is neither allowed nor refused is a custom
operation, or newer than the lists; it is treated as unknown code.
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


def is_random(op: str) -> bool:
    """Whether an operation draws random numbers."""
    return op in _random()


@cache
def _allowed() -> frozenset[str]:
    return _words("allowed.txt")


@cache
def _random() -> frozenset[str]:
    return _words("random.txt")


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


def _words(name: str) -> frozenset[str]:
    return frozenset(word for line in _lines(name) for word in line.split())


def _lines(name: str) -> Iterator[str]:
    """Yield the lines of a list without comments."""
    text = files(__package__).joinpath(name).read_text("utf-8")  # also out of a zip
    return (line for line in text.splitlines() if not line.startswith("#"))
