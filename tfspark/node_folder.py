"""The folder in which a node keeps unpacked models, one folder per digest, for all its workers.

`unpacked` returns the export dir of a digest and unpacks it when it is not there. Executor only.

Invariants: a model appears whole, by a rename under a lock, or not at all; its files have the
digest whenever a process opens them. Nobody but this user can put files there: the cache folder,
the folder of a digest with all that is in it, and its lock are no links, belong to this user, and
others cannot write them.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tfspark.errors import EngineError, InvalidModelError, explain
from tfspark.saved_model.archive import unpack
from tfspark.saved_model.files import BY_OTHERS, digest_of, size_of

_log = logging.getLogger(__name__)

# Without O_TRUNC and through no link: opening a lock changes no file, whatever lies in its place.
_OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def unpacked(digest: str, size: int, archive: Callable[[], bytes]) -> Path:
    """Return the node's folder with the model of a digest, unpacking it when it is not there.

    Args:
        digest: Names the folder and is checked after unpacking.
        size: Bytes of all files.
        archive: Gives the packed bytes; called only by the process that unpacks.

    Returns:
        The export dir, with the files of that digest: what lost files to a cleaner of temporary
        folders, or was edited, is unpacked again. It appears whole, by a rename, or not at all.

    Raises:
        InvalidModelError: When the bytes are not those of the digest.
        EngineError: When the bytes do not arrive, others can write to the cache folder, or the
            node has no room or right to unpack them.
    """
    root = cache_root()
    folder = root / digest
    if _is_whole(folder, digest, size):
        return folder
    try:
        with _locked(root / f"{digest}.lock"):
            if not _is_whole(folder, digest, size):
                _replace(folder, digest, size, archive)
    except OSError as error:
        raise _unusable(root, error) from error
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
                hint="it changed during the job; export to a new version folder instead.",
            )
        )


def cache_root() -> Path:
    """Return this node's folder for unpacked models: `TFSPARK_CACHE_DIR`, else one in the temp dir.

    Raises:
        EngineError: When the folder cannot be made, or somebody else could put models there: it is
            a link, another user owns it, or its mode or that of a folder above it allows it.
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
    """Create a folder, and those above it, that this user alone can use; fine if it is there."""
    if not folder.parent.exists():
        _make(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def _not_private(folder: Path) -> tuple[str, str] | None:
    """Say how somebody else could change what is in a folder, and what to do about it."""
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "a link", "name the folder itself in TFSPARK_CACHE_DIR of the executors."
    if status.st_uid != os.getuid():
        return f"a folder of the user with the number {status.st_uid}", _NAME_ONE
    if status.st_mode & BY_OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        return f"mode {mode:o}, so other users can write to it", f"run chmod go-w {folder}"
    return None


def _check_above(root: Path, above: Path) -> None:
    """Refuse a folder above the cache in which anybody may rename what is not his own."""
    mode = above.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        found = f"{above} has mode {stat.S_IMODE(mode):o}, so every user can replace what is in it"
        hint = f"run chmod o-w {above}, or chmod +t where others need it, or name another folder"
        raise _unusable(root, found, f"{hint} in TFSPARK_CACHE_DIR of the executors.")


_NAME_ONE = "name one in the environment variable TFSPARK_CACHE_DIR of the executors."


def _unusable(root: Path, found: object, hint: str = _NAME_ONE) -> EngineError:
    return EngineError(
        explain(
            f"A worker cannot keep models in its cache folder {root}.",
            expected="a folder of its own, which nobody else can write, with room for the model",
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
    except (OSError, InvalidModelError):  # another process replaces it, or it is no model any more
        return False


def _replace(folder: Path, digest: str, size: int, archive: Callable[[], bytes]) -> None:
    """Unpack beside the folder and rename; the caller holds the lock, so nobody else does."""
    for left_behind in folder.parent.glob(f"{digest}.*/"):  # by a process that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    if os.path.lexists(folder):
        _log.warning("The model in %s has changed since it was unpacked; unpacking again", folder)
        _remove(folder)
    aside = Path(tempfile.mkdtemp(prefix=f"{digest}.", dir=folder.parent))
    try:
        unpack(_received(archive), aside, size)
        check_digest(aside, digest)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove(entry: Path) -> None:
    """Remove what lies in the place of a model; of a link, the link alone."""
    if entry.is_symlink() or not entry.is_dir():
        entry.unlink()
    else:
        shutil.rmtree(entry, ignore_errors=True)


def _received(archive: Callable[[], bytes]) -> io.BytesIO:
    try:
        return io.BytesIO(archive())
    except OSError as error:
        problem = "The packed model did not reach this worker."
        raise EngineError(explain(problem, found=str(error))) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a digest; what lies in its place but is no file of this user is refused."""
    descriptor = os.open(path, _OPEN_LOCK, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            raise OSError(f"{path} is no regular file of this user")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
