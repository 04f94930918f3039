"""Copies the values of a JSON document, and writes them as indented text. Driver.

A report has tens of thousands of numbers. Each list of numbers is copied and written by one call,
because a Python step for each number would take longer than a small job.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

_NUMBERS = frozenset((int, float))


def copied(value: Any, text: Callable[[str], str], name: Callable[[str], str] = str) -> Any:
    """Return a copy of all dictionaries and lists.

    Args:
        value: A JSON document.
        text: Changes each text.
        name: Changes the name of each value in a dictionary.
    """
    if isinstance(value, Mapping):
        return {name(key): copied(part, text, name) for key, part in value.items()}
    if isinstance(value, list | tuple):
        if _NUMBERS.issuperset(map(type, value)):
            return list(value)
        return [copied(part, text, name) for part in value]
    return text(value) if isinstance(value, str) else value


def indented(value: Any, margin: str = "\n") -> str:
    """Return the same text as `json.dumps(value, indent=2)`, for a copy that `copied` made.

    Args:
        value: The document, or a part of it.
        margin: The line break and the spaces before the end of this part.
    """
    inner = f"{margin}  "
    if isinstance(value, dict) and value:
        pairs = (f"{json.dumps(name)}: {indented(part, inner)}" for name, part in value.items())
        return f"{{{inner}{f',{inner}'.join(pairs)}{margin}}}"
    if isinstance(value, list) and value:
        if _NUMBERS.issuperset(map(type, value)):
            # The encoder in C takes no indent, but any separator.
            body = json.dumps(value, separators=(f",{inner}", ": "))[1:-1]
        else:
            body = f",{inner}".join(indented(part, inner) for part in value)
        return f"[{inner}{body}{margin}]"
    return json.dumps(value)
