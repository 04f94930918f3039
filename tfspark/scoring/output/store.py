"""The file system operations of the commit. Driver.

A rename never replaces its target and never moves *into* an existing folder; Hadoop's plain
`rename` does. A file is created with its whole content, and only if it does not exist. Times come
from the clock of the file system, not of the driver.

Invariants: a missing source, or a missing folder of the target, raises `FileNotFoundError`. An
existing target raises `FileExistsError`. If both are true, `FileNotFoundError` is raised. Only
`make` and `make_hidden` make folders.
"""

from __future__ import annotations

from typing import Protocol

from tfspark.spark.cluster.access import Access


class Store(Protocol):
    """A file system. Paths are strings with `/` between names."""

    @property
    def is_atomic(self) -> bool:
        """Whether creations and renames are atomic; object stores copy files instead."""

    def user_in(self, folder: str) -> str:
        """Return the user who owns what this process creates in a folder."""

    def access(self, path: str) -> Access | None:
        """Return who can change a folder; `None` if it is missing, or on an object store."""

    def names(self, folder: str) -> list[str]:
        """Return the sorted names in a folder; an empty list when it does not exist."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""

    def read(self, path: str) -> str | None:
        """Return the text of a file; `None` when it does not exist."""

    def create(self, path: str, text: str) -> None:
        """Create a file with its text, if it does not exist; its folder must exist."""

    def touch(self, path: str) -> None:
        """Set the time of a file to now, by the clock of the file system."""

    def modified(self, path: str) -> int | None:
        """Return the modification time in ms; `None` when the file does not exist."""

    def make(self, folder: str) -> None:
        """Make a folder and its parents."""

    def make_hidden(self, folder: str) -> None:
        """Make a folder that other users cannot write, except the group; and its parents."""

    def rename(self, source: str, target: str) -> None:
        """Rename a file or folder to a name that does not exist."""

    def exchange(self, one: str, other: str) -> bool:
        """Exchange two folders atomically; `False` where the file system cannot."""

    def identity(self, folder: str) -> str:
        """Return an identity that a rename does not change; empty if folders have none."""

    def reason_to_stay(self, folder: str, full: str) -> str:
        """Return the reason why a folder cannot be renamed; empty if it can be.

        Nothing changes.

        Args:
            folder: The folder.
            full: A folder with entries in the same file system.
        """

    def reason_to_refuse(self, folder: str, work: str) -> str:
        """Return the reason why nothing of `work` can be renamed into a folder; empty if it can.

        No reader sees a change.
        """

    def delete(self, path: str) -> None:
        """Delete a file, or a folder with its content; do nothing when it does not exist."""

    def delete_last(self, *paths: str) -> None:
        """Delete files of one folder directly one after the other, then the empty folder."""

    def remove_empty(self, folder: str) -> None:
        """Remove a folder if it is empty; do nothing when it is not or does not exist."""
