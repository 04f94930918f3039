"""The files of an export dir: listed, counted and hashed.

Lists a folder and computes the digest that names the model everywhere. Driver and executor.

Invariants: the digest is the SHA-256 over the sorted relative names, lengths and contents, so equal
folders have equal digests wherever they lie; links to folders count as folders, and a folder that
contains itself through one is an error, not an endless list. Nothing is written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tfspark.errors import InvalidModelError, explain

# A link may lead out of the model into a whole file system.
MOST_FILES = 100_000


def files(folder: Path) -> list[tuple[str, Path]]:
    """Return relative name and path of every file, sorted by name.

    Raises:
        InvalidModelError: When a folder contains itself, or there are too many files for a model.
    """
    found = []
    for path in _walk(folder, ()):
        found.append((path.relative_to(folder).as_posix(), path))
        if len(found) > MOST_FILES:
            raise InvalidModelError(
                explain(
                    f"The folder {folder} holds too many files for a model.",
                    expected=f"at most {MOST_FILES} files, those behind links included",
                    hint="give the export dir of one model, and remove links that lead out of it.",
                )
            )
    return sorted(found)


def digest_of(export_dir: Path) -> str:
    """Return the SHA-256 over the sorted relative names, lengths and contents of all files."""
    total = hashlib.sha256()
    for relative, path in files(export_dir):
        total.update(os.fsencode(f"{relative}\0{path.stat().st_size}\0"))
        with path.open("rb") as content:
            while chunk := content.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def size_of(export_dir: Path) -> int:
    """Return the bytes of all files; 0 when there is no such folder."""
    return sum(path.stat().st_size for _, path in files(export_dir))


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Yield the files below a folder; `above` identifies the folders that lead to it."""
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    status = folder.stat()
    own = (status.st_dev, status.st_ino)
    if own in above:
        raise InvalidModelError(
            explain(
                f"The folder {folder} contains itself through a link.",
                hint="remove the link; a SavedModel needs none.",
            )
        )
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, (*above, own))
        elif entry.is_file():
            yield entry
