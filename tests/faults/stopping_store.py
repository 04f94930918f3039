"""A store that stops its job before one operation, by an exception or by a kill."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

from tfspark.scoring.output.local_store import LocalStore

# All operations that change files.
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
    """Ends a job as a kill would; no code catches it."""


class Stopping:
    """Stops a store after `allowed` operations."""

    allowed: int | None = None

    def __init__(self, *arguments: Any) -> None:
        self.done: list[str] = []
        self._inside = False
        super().__init__(*arguments)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def operation(*paths: str) -> Any:
            if self._inside:  # a part of another operation
                return found(*paths)
            if len(self.done) == self.allowed:
                self.stop(f"{name} {paths}")
            self.done.append(f"{name} {paths}")
            self._inside = True
            try:
                return found(*paths)
            finally:
                self._inside = False

        return operation

    def stop(self, operation: str) -> None:
        raise Stopped(f"before {operation}")


class StoppingStore(Stopping, LocalStore):
    """Real local files; stops its job before one operation."""

    def __init__(self, allowed: int | None = None, *, exchanges: bool = True) -> None:
        super().__init__()
        self.allowed = allowed
        self._exchanges = exchanges

    def identity(self, folder: str) -> str:
        return super().identity(folder) if self._exchanges else ""


class Killing(Stopping):
    """Kills its process with SIGKILL before an operation, given by number or by a pattern."""

    before = ""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS or not self.before:
            return found

        def operation(*paths: str) -> Any:
            if re.search(self.before, f"{name} {paths}"):
                self.stop(name)
            return found(*paths)

        return operation

    def stop(self, operation: str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class KillingStore(Killing, StoppingStore):
    """Real local files; kills its process before one operation."""

    def __init__(self, allowed: int | None = None, *, before: str = "") -> None:
        super().__init__(allowed)
        self.before = before
