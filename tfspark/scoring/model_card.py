"""Finds the model card of an export dir, for the report. Driver."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

# The most characters of a card; a longer card is cut.
_LONGEST = 20_000
_NAMES = ("README.md", "model_card.md", "MODEL_CARD.md")


def card_of(path: str) -> str:
    """Return the text of a model card; empty without one.

    The card is `README.md`, `model_card.md` or `MODEL_CARD.md` in the export dir, otherwise
    `<base path>/training/<version>/README.md`, which `python -m models` writes.

    Args:
        path: The export dir on this machine.
    """
    folder = Path(path)
    beside = folder.parent / "training" / folder.name / _NAMES[0]
    for file in (*(folder / name for name in _NAMES), beside):
        with suppress(OSError):  # a job does not need the card; another user may own it
            # A link in an untrusted model could point to any file of this machine.
            if file.is_file() and not file.is_symlink():
                with file.open(encoding="utf-8", errors="replace") as card:
                    return card.read(_LONGEST)
    return ""
