"""Hadoop file systems with the strict operations that the commit of a job relies on. Driver.

If the target folder exists, `FileSystem.rename` moves the source *into* it and reports success. So
a rename uses `FileContext`, which refuses an existing target. On HDFS the check and the rename are
one operation. On object stores they are not, so the commit treats these as stores that copy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfspark.spark.cluster.access import Access
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import MISSING, HadoopFiles, if_there, scheme_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# File systems whose name node or kernel renames and creates files atomically.
_ATOMIC = ("file", "hdfs", "webhdfs", "swebhdfs")
_BUFFER, _BLOCK = 4096, 32 << 20
# A folder that is renamed for a test; Spark's readers ignore the name.
_PROBE = ".tfspark-probe"


class HadoopStore:
    """A Hadoop file system; implements `tfspark.scoring.output.store.Store`."""

    def __init__(self, spark: SparkSession, uri: str) -> None:
        self._files = HadoopFiles(spark, uri)
        jvm: Any = spark._jvm
        self._jvm = jvm
        self._path: Any = jvm.org.apache.hadoop.fs.Path
        self._fs: Any = self._path(uri).getFileSystem(spark._jsc.hadoopConfiguration())
        self._configuration: Any = spark._jsc.hadoopConfiguration()
        gateway: Any = spark.sparkContext._gateway
        self._no_options = gateway.new_array(jvm.org.apache.hadoop.fs.Options.Rename, 0)
        self.is_atomic = scheme_of(self._files.qualified(uri)) in _ATOMIC

    @cached_property
    def _strict(self) -> Any:
        """The same file system with a rename that never replaces."""
        contexts: Any = self._jvm.org.apache.hadoop.fs.FileContext
        return contexts.getFileContext(self._fs.getUri(), self._configuration)

    def user_in(self, folder: str) -> str:  # noqa: ARG002
        """See `Store.user_in`: its name."""
        users: Any = self._jvm.org.apache.hadoop.security.UserGroupInformation
        return str(users.getCurrentUser().getShortUserName())

    def access(self, path: str) -> Access | None:
        """See `Store.access`. Object stores invent owners and permissions."""
        if not self.is_atomic:
            return None
        status = if_there(lambda: self._fs.getFileStatus(self._path(path)))
        if status is None:
            return None
        return Access(str(status.getOwner()), int(status.getPermission().toShort()))

    def names(self, folder: str) -> list[str]:
        """See `Store.names`."""
        return self._files.children(folder)

    def exists(self, path: str) -> bool:
        """See `Store.exists`."""
        return self._files.exists(path)

    def read(self, path: str) -> str | None:
        """See `Store.read`."""
        stream = if_there(lambda: self._fs.open(self._path(path)))
        if stream is None:
            return None
        try:
            text: str = self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
            return text
        finally:
            stream.close()

    def create(self, path: str, text: str) -> None:
        """See `Store.create`. An atomic store writes another name first, then renames the file."""
        if not self.is_atomic:
            if self._files.exists(path):
                raise FileExistsError(path)
            self._write(path, text)
            return
        folder, _, name = path.rpartition("/")
        complete = f"{folder}/.{name}.{self._jvm.java.util.UUID.randomUUID().toString()}"
        self._write(complete, text)
        try:
            self.rename(complete, path)
        except FileExistsError:
            self._files.delete(complete)
            raise

    def touch(self, path: str) -> None:
        """See `Store.touch`. Rewrites the file; setting its time would use the driver's clock."""
        text = self.read(path)
        if text is None:
            raise FileNotFoundError(path)
        self._write(path, text)

    def modified(self, path: str) -> int | None:
        """See `Store.modified`."""
        state = self._files.state(path)
        return None if state is None else state[1]

    def make(self, folder: str) -> None:
        """See `Store.make`."""
        self._fs.mkdirs(self._path(folder))

    def make_hidden(self, folder: str) -> None:
        """See `Store.make_hidden`."""
        rights: Any = self._jvm.org.apache.hadoop.fs.permission.FsPermission
        self._fs.mkdirs(self._path(folder), rights("775"))

    def rename(self, source: str, target: str) -> None:
        """See `Store.rename`. Many object stores have no `FileContext`."""
        if not self.is_atomic:
            self._rename_by_copy(source, target)
            return
        _translated(
            lambda: self._strict.rename(self._path(source), self._path(target), self._no_options)
        )

    def exchange(self, one: str, other: str) -> bool:  # noqa: ARG002
        """See `Store.exchange`: Hadoop has no such operation."""
        return False

    def identity(self, folder: str) -> str:  # noqa: ARG002
        """See `Store.identity`: empty, because folders are not exchanged."""
        return ""

    def reason_to_stay(self, folder: str, full: str) -> str:
        """See `Store.reason_to_stay`. HDFS checks the rights before it looks for `full`."""
        try:
            self.rename(folder, full)
        except FileExistsError:
            return ""
        except Exception as error:
            return cause(error)
        self.rename(full, folder)
        return "its file system replaces a folder that is not empty"

    def reason_to_refuse(self, folder: str, work: str) -> str:
        """See `Store.reason_to_refuse`. Moves an empty hidden folder there, then deletes it.

        If the job is killed between the two, the hidden folder stays.
        """
        mine, there = f"{work}/{_PROBE}", f"{folder}/{_PROBE}"
        try:
            self.make(mine)
            self.delete(there)  # of a killed job
            self.rename(mine, there)
            self.delete(there)
        except Exception as error:
            return cause(error)
        return ""

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        self._files.delete(path)

    def delete_last(self, *paths: str) -> None:
        """See `Store.delete_last`: one operation right after the other."""
        for path in paths:
            self._files.delete(path)
        self.remove_empty(paths[0].rpartition("/")[0])

    def remove_empty(self, folder: str) -> None:
        """See `Store.remove_empty`."""
        if self._files.exists(folder) and not self._files.children(folder):
            _translated(lambda: self._fs.delete(self._path(folder), False))

    def _rename_by_copy(self, source: str, target: str) -> None:
        if not self._files.exists(source):
            raise FileNotFoundError(source)
        if self._files.exists(target):
            raise FileExistsError(target)
        if not _translated(lambda: self._fs.rename(self._path(source), self._path(target))):
            raise FileNotFoundError(target)

    def _write(self, path: str, text: str) -> None:
        """Write a file into an existing folder."""
        size = self._fs.getDefaultReplication(self._path(path))
        stream = _translated(
            lambda: self._fs.createNonRecursive(self._path(path), True, _BUFFER, size, _BLOCK, None)
        )
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()


def _translated(call: Callable[[], Any]) -> Any:
    """Call Hadoop; convert its errors about missing and existing paths to Python's."""
    try:
        return call()
    except Exception as error:
        java: Any = getattr(error, "java_exception", None)
        if java is None:
            raise
        kind, message = str(java.getClass().getSimpleName()), str(java.getMessage())
        if kind in MISSING:
            raise FileNotFoundError(message) from error
        if kind in ("FileAlreadyExistsException", "PathIsNotEmptyDirectoryException"):
            raise FileExistsError(message) from error
        raise
