"""The title of a model in messages. Driver and executor."""

from __future__ import annotations

from typing import Protocol


class Described(Protocol):
    """A model with a name, a version if it has one, and a digest."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> int | None: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


def title_of(model: Described) -> str:
    """Return the title of a model in messages: its name, its version if any, its digest."""
    version = "" if model.version is None else f" version {model.version}"
    return f"{model.name}{version} ({model.digest[:12]})"
