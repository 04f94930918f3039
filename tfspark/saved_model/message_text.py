"""Protocol buffers in their text form, without the messages that nobody reads.

Removes the messages of some fields from the text of `saved_model.pbtxt`. Driver only.

Context: protobuf's own reader of text is written in Python and takes 0.5 s for each MB, while one
regular expression finds the braces of a MB in 0.05 s. What a message means is left to protobuf.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# Braces, and whatever may hold a brace that is none: strings and comments. A string that nothing
# closes ends with its line, so that no character is looked at again and again.
_BRACE = re.compile(
    r"""[{}<>]|"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|'[^'\\\n]*(?:\\.[^'\\\n]*)*'?|\#[^\n]*"""
)
_NAME = re.compile(r"(\w+)\s*:?\s*$")

# A field's name and the blanks behind it are looked for in so many characters before a brace.
_NAME_SPAN = 80


def without(text: str, names: Collection[str]) -> str:
    """Return the text less all messages of some fields.

    Args:
        text: A message as protobuf's `text_format` writes it.
        names: Fields to leave out, such as `library`, at any depth.

    Raises:
        ValueError: When braces do not match.
    """
    kept: list[str] = []
    depth, start, cut = 0, 0, 0  # cut: the depth of the message that is left out at the moment
    for token in _BRACE.finditer(text):
        mark = token[0]
        if mark in "{<":
            depth += 1
            begin = None if cut else _begin(text, token, names)
            if begin is not None:
                kept.append(text[start:begin])
                cut = depth
        elif mark in "}>":
            if depth == cut:
                start, cut = token.end(), 0
            depth -= 1
            if depth < 0:
                raise ValueError(f"a brace too many at character {token.start()}")
    if depth:
        raise ValueError(f"{depth} braces are not closed at the end")
    return "".join([*kept, text[start:]])


def _begin(text: str, brace: re.Match[str], names: Collection[str]) -> int | None:
    """Return where the message of a brace begins when it is to be left out."""
    field = _NAME.search(text, max(0, brace.start() - _NAME_SPAN), brace.start())
    return field.start() if field and field[1] in names else None
