"""Lists, counts and hashes the files of an export dir.

Computes the digest that identifies a model. Driver and executor.

Invariants: the digest is the SHA-256 over the sorted relative names, lengths and contents, so equal
folders have equal digests at every path. Links are followed, even out of the folder: the caller
who names a model trusts its folder, and the digest covers the content behind the link. To limit the
time of a listing, these are refused: a folder that contains itself, devices, pipes, sockets, too
many entries or levels, and names that are too long. A file that changes while it is hashed is
refused. Nothing is written.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tfspark.errors import InvalidModelError, explain

# Files and folders of one model; an entry behind several links counts once for each link.
MOST_ENTRIES = 10_000
MOST_LEVELS = 32
# The limits of Linux; an archive may contain longer names.
LONGEST_NAME, LONGEST_PATH = 255, 4096

# The bits of a mode that let other users write.
BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def files(folder: Path, *, private: bool = False) -> list[tuple[str, Path]]:
    """Return relative name and path of every file, sorted by name.

    Args:
        folder: An export dir; the list is empty when it does not exist.
        private: Whether to refuse links, and entries that other users own or can write.

    Raises:
        InvalidModelError: When a folder contains itself, or holds a device, a pipe, a socket, too
            many entries, too many levels or too long a name.
    """
    return sorted(_Walk(folder, private).below("", ()))


def digest_of(export_dir: Path, *, private: bool = False) -> str:
    """Return the SHA-256 over the sorted relative names, lengths and contents of all files."""
    return digest_of_files(files(export_dir, private=private))


def digest_of_files(
    listed: Iterable[tuple[str, Path]], given: Mapping[str, bytes] = _NOTHING
) -> str:
    """Return the digest of files that `files` listed.

    Args:
        listed: Relative name and path of every file, sorted by name.
        given: Relative name → content of files that were read before. These bytes are hashed, and
            the file is not read again.

    Raises:
        InvalidModelError: When the length of a file changes while it is read.
    """
    total = hashlib.sha256()
    for relative, path in listed:
        if relative in given:
            total.update(os.fsencode(f"{relative}\0{len(given[relative])}\0"))
            total.update(given[relative])
        else:
            _add_file(total, relative, path)
    return total.hexdigest()


def _add_file(total: hashlib._Hash, relative: str, path: Path) -> None:
    """Hash the name, length and content of one file."""
    with path.open("rb") as content:
        size = left = os.fstat(content.fileno()).st_size
        total.update(os.fsencode(f"{relative}\0{size}\0"))
        while chunk := content.read(1 << 20):
            total.update(chunk)
            left -= len(chunk)
    if left:  # otherwise the end of one file and the start of the next could not be told apart
        raise InvalidModelError(
            explain(
                f"The file {path} changed while it was read.",
                expected=f"{size} bytes",
                found=f"{size - left} bytes",
                hint="export to a new version folder, and load the model when it is complete.",
            )
        )


def size_of(export_dir: Path) -> int:
    """Return the bytes of all files; 0 when there is no such folder."""
    return sum(path.stat().st_size for _, path in files(export_dir))


def is_too_long(relative: str) -> bool:
    """Whether a relative name has too many bytes or levels for a file of a model."""
    parts = os.fsencode(relative).split(b"/")
    longest = max(map(len, parts))
    return (
        len(parts) > MOST_LEVELS
        or longest > LONGEST_NAME
        or sum(map(len, parts)) + len(parts) > LONGEST_PATH
    )


@dataclass
class _Walk:
    """One walk through a folder; counts the entries and refuses what a model cannot contain."""

    folder: Path
    private: bool
    met: int = 0

    def below(self, top: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Path]]:
        """Yield the files below a folder; `above` identifies the folders that lead to it."""
        try:
            entries = os.scandir(self.folder / top)
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            status = (self.folder / top).stat()
            own = (status.st_dev, status.st_ino)
            if own in above:
                raise self._refusal(top, "a folder that contains itself through a link", _NO_LINK)
            for entry in entries:
                yield from self._entry(entry, f"{top}{entry.name}", (*above, own))

    def _entry(
        self, entry: os.DirEntry[str], name: str, above: tuple[tuple[int, int], ...]
    ) -> Iterator[tuple[str, Path]]:
        self.met += 1
        if self.met > MOST_ENTRIES:
            found = f"more than {MOST_ENTRIES} entries, including those behind links"
            raise self._refusal("", found, f"give the export dir of a single model; {_NO_LINK}")
        if is_too_long(name):
            raise self._refusal(name, "too long a name, or too many levels of folders", _NO_LINK)
        if self.private:
            self._check_private(entry, name)
        mode = self._mode(entry, name)
        if stat.S_ISDIR(mode):
            yield from self.below(f"{name}/", above)
        elif stat.S_ISREG(mode):
            yield name, self.folder / name
        elif mode:
            raise self._refusal(name, "a device, a pipe or a socket", "remove it.")

    def _check_private(self, entry: os.DirEntry[str], name: str) -> None:
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise self._refusal(name, "a link", _NO_LINK)
        if status.st_uid != os.getuid() or status.st_mode & BY_OTHERS:
            raise self._refusal(name, "another user can write it", "run chmod -R go-w on it.")

    def _mode(self, entry: os.DirEntry[str], name: str) -> int:
        """Return the mode of an entry, or of the target of a link; 0 when there is no target."""
        try:
            return entry.stat().st_mode
        except FileNotFoundError:
            return 0
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._refusal(name, "a link that leads to itself", _NO_LINK) from error
            raise

    def _refusal(self, name: str, found: str, hint: str) -> InvalidModelError:
        return InvalidModelError(
            explain(
                f"The folder {self.folder} contains something that a model cannot contain.",
                expected=f"regular files and folders, at most {MOST_ENTRIES} of them",
                found=f"{name!r}: {found}" if name else found,
                hint=hint,
            )
        )


_NO_LINK = "remove links that lead to the folder itself or out of it; a SavedModel needs none."
