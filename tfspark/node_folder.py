"""The folder in which the workers of a node share unpacked models. Executor.

It has one folder for each digest. `unpacked` returns the export dir of a digest, and unpacks the
model first if necessary. It then removes models that no process has opened for 30 days.

Invariants: a model appears completely, by a rename under a lock, or not at all; a process checks
the digest before it opens the files. No other user except root can put files there: the cache
folder, the folder of a digest with all its files, and its lock are not links, belong to this user,
and are not writable by others.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import pickle
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

from tfspark.errors import EngineError, InvalidModelError, explain
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.chunks import ChunkReader
from tfspark.saved_model.files import BY_OTHERS, digest_of, size_of

_log = logging.getLogger(__name__)

# Without O_TRUNC and with O_NOFOLLOW, so that opening a lock never changes another file.
_OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
# The modification time of a lock says when a process last opened the model.
_UNUSED_SECONDS = 30 * 24 * 3600
_DIGEST = re.compile(r"[0-9a-f]{64}")


def unpacked(digest: str, size: int, archive: Iterable[bytes]) -> Path:
    """Return the node's folder with the model of a digest; unpack the model if it is missing.

    Args:
        digest: Name of the folder; checked after unpacking.
        size: Bytes of all files.
        archive: The packed bytes in chunks; read only by the process that unpacks, which drops
            each chunk before it takes the next one.

    Returns:
        The export dir, with the files of that digest. It is unpacked again if a cleaner of
        temporary folders removed files, or if files were edited. It appears completely, by a
        rename, or not at all.

    Raises:
        InvalidModelError: When the bytes have another digest.
        EngineError: When a chunk does not arrive, when others can write to the cache folder, or
            when the node has no space or no permission to unpack them.
    """
    root = cache_root()
    folder, lock = root / digest, root / f"{digest}.lock"
    try:
        with suppress(FileNotFoundError):  # the first process of this model makes it
            os.utime(lock, follow_symlinks=False)
        if _is_whole(folder, digest, size):
            return folder
        with _locked(lock):
            if not _is_whole(folder, digest, size):
                _replace(folder, digest, size, archive)
    except OSError as error:
        raise _unusable(root, error) from error
    _remove_unused(root)
    return folder


def check_digest(folder: Path, digest: str) -> None:
    """Refuse a folder whose files are not those of the digest.

    Raises:
        InvalidModelError: When they are not.
    """
    if digest_of(folder) != digest:
        raise InvalidModelError(
            explain(
                f"The model at {folder} is not the one that the driver read.",
                expected=f"digest {digest[:12]}",
                hint="it changed during the job, or on its way to this worker; export to a new "
                "version folder instead of changing one.",
            )
        )


def cache_root() -> Path:
    """Return this node's folder for models: `TFSPARK_CACHE_DIR`, or a folder in the temp dir.

    Raises:
        EngineError: When the folder cannot be made, or another user could put models there: the
            folder is a link, another user owns it, or others can write to it or replace it.
    """
    default = Path(tempfile.gettempdir()) / f"tfspark-{os.getuid()}"
    root = Path(os.environ.get("TFSPARK_CACHE_DIR") or default).absolute()
    try:
        _make(root)
        problem = _not_private(root)
        if problem:
            raise _unusable(root, *problem)
        for above in root.resolve().parents:
            _check_above(root, above)
    except OSError as error:
        raise _unusable(root, error) from error
    return root


def _make(folder: Path) -> None:
    """Create a folder and its parents for this user only; do nothing when it exists."""
    if not folder.parent.exists():
        _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _not_private(folder: Path) -> tuple[str, str] | None:
    """Return how another user could change a folder, with a hint; `None` when nobody can."""
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "a link", "set the folder itself in TFSPARK_CACHE_DIR of the executors."
    if status.st_uid != os.getuid():
        return f"a folder of the user with the id {status.st_uid}", _HINT
    if status.st_mode & BY_OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        return f"mode {mode:o}, so other users can write to it", f"run chmod go-w {folder}"
    return None


def _check_above(root: Path, above: Path) -> None:
    """Refuse a folder above the cache in which every user may rename the entries of others."""
    mode = above.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found = f"{above} has mode {stat.S_IMODE(mode):o}, so every user can replace what is in it"
        hint = f"run chmod o-w {above}, or chmod +t if others need it, or set another folder"
        raise _unusable(root, found, f"{hint} in TFSPARK_CACHE_DIR of the executors.")


_HINT = (
    "set --conf spark.executorEnv.TFSPARK_CACHE_DIR=FOLDER (in local mode, the variable "
    "TFSPARK_CACHE_DIR) to such a folder."
)


def _unusable(root: Path, found: object, hint: str = _HINT) -> EngineError:
    return EngineError(
        explain(
            f"A worker cannot keep models in its cache folder {root}.",
            expected="a folder with room for the model, which only its own user can write",
            found=str(found),
            hint=hint,
        )
    )


def _is_whole(folder: Path, digest: str, size: int) -> bool:
    """Whether a folder is private and its files are those of the digest."""
    try:
        if _not_private(folder) or size_of(folder) != size:
            return False
        return digest_of(folder, private=True) == digest
    except (OSError, InvalidModelError):  # another process is replacing it, or it was damaged
        return False


def _replace(folder: Path, digest: str, size: int, archive: Iterable[bytes]) -> None:
    """Unpack into a temporary folder and rename it; the caller holds the lock."""
    for left_behind in folder.parent.glob(f"{digest}.*/"):  # by a process that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    if os.path.lexists(folder):
        _log.warning("The model in %s has changed since it was unpacked; unpacking again", folder)
        _remove(folder)
    aside = Path(tempfile.mkdtemp(prefix=f"{digest}.", dir=folder.parent))
    try:
        unpack(io.BufferedReader(ChunkReader(_received(archive))), aside, size)
        check_digest(aside, digest)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove_unused(root: Path) -> None:
    """Remove the models that no process has opened for a long time; their locks stay.

    Only names of models count, because a user may choose a cache folder with other files.
    """
    models = (lock for lock in root.glob("*.lock") if _DIGEST.fullmatch(lock.stem))
    for lock in filter(_is_unused, models):
        # An OSError means that another process holds the lock, or that the model is gone.
        with suppress(OSError), _locked(lock, wait=False):
            if _is_unused(lock):
                _remove(root / lock.stem)


def _is_unused(lock: Path) -> bool:
    with suppress(FileNotFoundError):  # a cleaner of temporary folders has removed it
        return lock.lstat().st_mtime < time() - _UNUSED_SECONDS
    return False


def _remove(entry: Path) -> None:
    """Remove a file or folder; remove a link, but not its target."""
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink()
    else:
        shutil.rmtree(entry, ignore_errors=True)


def _received(archive: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks; Spark's errors about a chunk are not errors of the cache folder."""
    try:
        yield from archive
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        problem = "The packed model did not reach this worker."
        raise EngineError(explain(problem, found=str(error))) from error


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a digest; refuse a lock that is not a regular file of this user.

    Raises:
        OSError: When it cannot be locked, or when another process holds it and `wait` is not set.
    """
    descriptor = os.open(path, _OPEN_LOCK, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise OSError(f"{path} is not a regular file of this user")
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
