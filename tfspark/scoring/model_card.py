"""Finds the model card of an export dir, for the report. Driver."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

# Characters; a card that is longer is cut.
_LONGEST = 20_000
_NAMES = ("README.md", "model_card.md", "MODEL_CARD.md")


def card_of(path: str) -> str:
    """Return the text of a model card; empty without one.

    Args:
        path: The export dir on this machine. The card is in it, or where the training of
            `python -m models` writes it: `<base path>/training/<version>/README.md`.
    """
    folder = Path(path)
    beside = folder.parent / "training" / folder.name / _NAMES[0]
    for file in (*(folder / name for name in _NAMES), beside):
        with suppress(OSError):  # a job does not need the card, which another user may own
            # A link in a model from elsewhere could show any file of this machine.
            if file.is_file() and not file.is_symlink():
                with file.open(encoding="utf-8", errors="replace") as card:
                    return card.read(_LONGEST)
    return ""
