"""The file system of this machine, as a `Store` of the commit. Driver."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from tfspark.scoring.output import renameat2
from tfspark.spark.cluster.access import Access

# How often a task of a dead job may add a file to a folder while it is deleted. On NFS, a folder
# stays full as long as a process has one of its deleted files open.
_TRIES = 1000


class LocalStore:
    """The file system of this machine, including mounted ones."""

    is_atomic = True

    def user_in(self, folder: str) -> str:
        """See `Store.user_in`: its number. Network file systems may map root to another user."""
        try:
            with TemporaryFile(prefix=".tfspark-", dir=folder) as probe:
                return str(os.fstat(probe.fileno()).st_uid)
        except OSError:
            return str(os.geteuid())

    def access(self, path: str) -> Access | None:
        """See `Store.access`."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        is_link = stat.S_ISLNK(status.st_mode)
        if is_link:
            with suppress(FileNotFoundError):
                status = os.stat(path)  # noqa: PTH116
        return Access(str(status.st_uid), stat.S_IMODE(status.st_mode), is_link)

    def names(self, folder: str) -> list[str]:
        """See `Store.names`."""
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208  # a Path per name is not needed
        except FileNotFoundError:
            return []

    def exists(self, path: str) -> bool:
        """See `Store.exists`. A link exists even if its target does not."""
        return os.path.lexists(path)

    def read(self, path: str) -> str | None:
        """See `Store.read`."""
        try:
            return Path(path).read_text("utf-8", "replace")  # another program may have written it
        except FileNotFoundError:
            return None

    def create(self, path: str, text: str) -> None:
        """See `Store.create`. Writes the text to another name, then makes a hard link."""
        folder, _, name = path.rpartition("/")
        complete = f"{folder}/.{name}.{uuid4().hex}"
        try:
            Path(complete).write_text(text, "utf-8")
            try:
                os.link(complete, path)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                    raise
                self.rename(complete, path)  # a file system without hard links
        finally:
            with suppress(FileNotFoundError):
                os.unlink(complete)  # noqa: PTH108

    def touch(self, path: str) -> None:
        """See `Store.touch`: without times, the system that holds the file sets them."""
        os.utime(path)

    def modified(self, path: str) -> int | None:
        """See `Store.modified`."""
        try:
            return os.stat(path).st_mtime_ns // 1_000_000  # noqa: PTH116
        except FileNotFoundError:
            return None

    def make(self, folder: str) -> None:
        """See `Store.make`; another job may remove the folder at the same time."""
        while True:
            try:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103
                return
            except FileExistsError:
                if _is_file(folder):
                    raise

    def make_hidden(self, folder: str) -> None:
        """See `Store.make_hidden`."""
        self.make(os.path.dirname(folder))  # noqa: PTH120
        with suppress(FileExistsError):
            os.mkdir(folder, 0o775)  # noqa: PTH102

    def rename(self, source: str, target: str) -> None:
        """See `Store.rename`."""
        if renameat2.rename_if_absent(source, target):
            return
        if not os.path.lexists(source):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        os.rename(source, target)  # noqa: PTH104

    def exchange(self, one: str, other: str) -> bool:
        """See `Store.exchange`."""
        return renameat2.exchange(one, other)

    def identity(self, folder: str) -> str:
        """See `Store.identity`: device and inode."""
        try:
            status = os.stat(folder)  # noqa: PTH116
        except FileNotFoundError:
            return ""
        return f"{status.st_dev}:{status.st_ino}"

    def is_mount(self, folder: str) -> bool:
        """Whether a folder is a mount point: files beside it cannot be renamed into it.

        The kernel refuses such a rename before it looks for the source, so nothing changes.
        """
        name = f".{uuid4().hex}"
        try:
            os.rename(f"{os.path.dirname(folder)}/{name}", f"{folder}/{name}")  # noqa: PTH104, PTH120
        except OSError as error:
            return error.errno == errno.EXDEV
        return False

    def reason_to_stay(self, folder: str, full: str) -> str:
        """See `Store.reason_to_stay`.

        The kernel checks the rights, and an overlay checks its layers, before it refuses to replace
        a folder that has entries. So nothing changes.
        """
        try:
            os.rename(folder, full)  # noqa: PTH104
        except OSError as error:
            # A link to a folder would replace a folder, which the kernel refuses too.
            stays = error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR)
            return (error.strerror or str(error)) if stays else ""
        os.rename(full, folder)  # noqa: PTH104  # a file system that does replace it
        return "its file system replaces a folder that is not empty"

    def reason_to_refuse(self, folder: str, work: str) -> str:
        """See `Store.reason_to_refuse`. The kernel compares the disks before it looks for files."""
        name = f".{uuid4().hex}"
        try:
            os.rename(f"{work}/{name}", f"{folder}/{name}")  # noqa: PTH104
        except FileNotFoundError:
            pass
        except OSError as error:
            return error.strerror or str(error)
        may = os.access(folder, os.W_OK | os.X_OK)
        return "" if may else os.strerror(errno.EACCES)

    def delete(self, path: str) -> None:
        """See `Store.delete`; another job may remove or add parts of it at the same time."""
        tries = 0
        while os.path.lexists(path):
            try:
                if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
                    shutil.rmtree(path)
                else:
                    os.unlink(path)  # noqa: PTH108
            except FileNotFoundError:
                continue
            except OSError as error:
                tries += 1
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or tries == _TRIES:
                    raise

    def delete_last(self, *paths: str) -> None:
        """See `Store.delete_last`: one operation right after the other."""
        for path in paths:
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
        self.remove_empty(paths[0].rpartition("/")[0])

    def remove_empty(self, folder: str) -> None:
        """See `Store.remove_empty`."""
        try:
            os.rmdir(folder)  # noqa: PTH106
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise


def _is_file(path: str) -> bool:
    """Whether a path exists and is not a folder; a link counts as a file."""
    try:
        return not stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
