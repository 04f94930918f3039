"""Reads an output repeatedly while jobs write it."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pyarrow.parquet as pq

# The files of an output: name → the numbers of its rows; `None` without an output.
Files = frozenset[tuple[str, tuple[int, ...]]] | None


def files_of(folder: Path) -> Files:
    """Return the files of one folder and their rows.

    Raises:
        FileNotFoundError: A file was deleted meanwhile, or the folder was replaced: its files may
            already have been deleted one by one.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        names = [name for name in os.listdir(opened) if name[0] not in "._"]  # noqa: PTH208
        found = frozenset((name, _rows(name, opened)) for name in names)
        if not os.path.samestat(os.fstat(opened), os.stat(folder)):  # noqa: PTH116
            raise FileNotFoundError(f"{folder} was replaced")
        return found
    finally:
        os.close(opened)


def rows_of(files: Files) -> list[int]:
    """Return the numbers of all rows, sorted."""
    return sorted(row for _, rows in files or () for row in rows)


def _rows(name: str, folder: int) -> tuple[int, ...]:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=folder), "rb") as stream:
        return tuple(pq.read_table(io.BytesIO(stream.read()))["id"].to_pylist())


class Reader(threading.Thread):
    """Reads a folder until its block ends.

    Attributes:
        seen: All outputs that it has read.
        looks: Number of reads.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.seen: set[Files] = set()
        self.looks = 0
        self._folder, self._done = folder, threading.Event()
        self._failed: Exception | None = None

    def run(self) -> None:
        while not self._done.wait(0.002):  # leave the CPU to the jobs
            self._look()

    def _look(self) -> None:
        try:
            self.seen.add(files_of(self._folder))
            self.looks += 1
        except FileNotFoundError:
            return  # an old folder is being deleted
        except Exception as error:
            self._failed = error
            self._done.set()

    def __enter__(self) -> Reader:
        self._look()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()
        if self._failed is not None:
            raise AssertionError(f"a reader fails: {self._failed}") from self._failed
        self._look()
