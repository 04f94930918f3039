"""A store that stops its job before one operation, as a kill does."""

from __future__ import annotations

from typing import Any

from tfspark.scoring.output.store import LocalStore

# Everything that changes something.
OPERATIONS = (
    "create",
    "touch",
    "make",
    "rename",
    "exchange",
    "delete",
    "delete_last",
    "remove_empty",
)


class Stopped(BaseException):
    """The end of a job that was killed; nobody catches it."""


class StoppingStore(LocalStore):
    """Real local files; after `allowed` operations, none is done any more."""

    def __init__(self, allowed: int | None = None, *, exchanges: bool = True) -> None:
        self.allowed = allowed
        self.done: list[str] = []
        self._exchanges = exchanges
        self._inside = False

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def operation(*paths: str) -> Any:
            if self._inside:  # a part of another operation
                return found(*paths)
            if len(self.done) == self.allowed:
                raise Stopped(f"before {name} {paths}")
            self.done.append(f"{name} {paths}")
            self._inside = True
            try:
                return found(*paths)
            finally:
                self._inside = False

        return operation

    def identity(self, folder: str) -> str:
        return super().identity(folder) if self._exchanges else ""
