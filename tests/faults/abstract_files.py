"""A tiny file system for the model of the commit: names, atomic operations, nothing else.

A rename never replaces and never moves into a folder: the commit calls the strict rename of each
file system, because Hadoop's plain `rename` moves a source *into* a folder that exists.
"""

from __future__ import annotations

from collections.abc import Hashable

State = frozenset[tuple[str, Hashable]]
FOLDER = "folder"


class MissingError(Exception):
    """A source, or the folder of a target, does not exist."""


class ExistsError(Exception):
    """A target exists."""


class Disk:
    """Files and folders by path; a folder has an identity that a rename keeps."""

    def __init__(self, state: State) -> None:
        self._there = dict(state)

    @property
    def state(self) -> State:
        return frozenset(self._there.items())

    def exists(self, path: str) -> bool:
        return path in self._there

    def read(self, path: str) -> Hashable:
        self._need(path)
        return self._there[path]

    def names(self, folder: str) -> list[str]:
        above = f"{folder}/"
        return sorted(
            path[len(above) :]
            for path in self._there
            if path.startswith(above) and "/" not in path[len(above) :]
        )

    def create(self, path: str, value: Hashable) -> None:
        """Create a complete file if it does not exist; its folder must exist."""
        self._need(_parent(path))
        if path in self._there:
            raise ExistsError(path)
        self._there[path] = value

    def make(self, path: str, identity: Hashable = FOLDER) -> None:
        """Make a folder and its parents, as `mkdirs` does."""
        if _parent(path):
            self.make(_parent(path))
        self._there.setdefault(path, identity)

    def rename(self, source: str, target: str) -> None:
        self._need(source)
        self._need(_parent(target))
        if target in self._there:
            raise ExistsError(target)
        self._move(source, target)

    def exchange(self, one: str, other: str) -> None:
        self._need(one)
        self._need(other)
        self._move(one, "(between)")
        self._move(other, one)
        self._move("(between)", other)

    def delete(self, path: str) -> None:
        """Delete a file or folder with its content; do nothing if it does not exist."""
        for below in [one for one in self._there if one == path or one.startswith(f"{path}/")]:
            del self._there[below]

    def remove_empty(self, folder: str) -> None:
        if not self.names(folder):
            self._there.pop(folder, None)

    def _move(self, source: str, target: str) -> None:
        moved = [one for one in self._there if one == source or one.startswith(f"{source}/")]
        for path in moved:
            self._there[target + path[len(source) :]] = self._there.pop(path)

    def _need(self, path: str) -> None:
        if path and path not in self._there:
            raise MissingError(path)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
