"""Uses Spark's Hadoop file systems, for any scheme that the cluster reads. Driver.

Models and outputs can be on any file system that Spark reads and writes, with Spark's credentials.
This module needs a classic session, because it calls the session's JVM.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from pyspark.sql import SparkSession

from tfspark.errors import OutputExistsError, UsageError, explain
from tfspark.spark.cluster.failures import cause

# The class `Path` in the JVM of each session, because each part of its name costs a call.
_PATH_CLASSES: WeakKeyDictionary[SparkSession, Any] = WeakKeyDictionary()

_OF_HDFS = ("hdfs", "webhdfs", "swebhdfs")
# File systems that show a file before it is closed.
_SHOW_OPEN_FILES = (*_OF_HDFS, "file", "viewfs")

# Errors of Hadoop about a missing path.
MISSING = ("FileNotFoundException", "NoSuchFileException")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):")


def scheme_of(path: str) -> str:
    """Return the scheme of a URI; empty for a plain path."""
    found = _SCHEME.match(path)
    return (found.group(1) or found.group(2)).lower() if found else ""


def if_there(call: Callable[[], Any]) -> Any | None:
    """Call Hadoop; return `None` if the path does not exist.

    A question before the call would not help, because another job may delete the path meanwhile.
    """
    try:
        return call()
    except Exception as error:
        java: Any = getattr(error, "java_exception", None)
        if java is None or str(java.getClass().getSimpleName()) not in MISSING:
            raise
        return None


def local_path(path: str) -> Path | None:
    """Return the path of a plain path or a `file:` URI, `None` for any other file system.

    As in Hadoop, nothing in a URI is escaped: `%`, `#` and blanks are ordinary characters.
    """
    scheme = scheme_of(path)
    if scheme == "file":
        return Path(re.sub(r"^file:(//[^/]*)?", "", path, flags=re.IGNORECASE))
    return None if scheme else Path(path)


@dataclass(frozen=True)
class Entry:
    """A file or folder in a listing.

    Attributes:
        name: Its name, relative to the listed folder.
        size: Its bytes.
        is_folder: Whether it is a folder.
        is_link: Whether it is a link.
        changed: Its modification time in milliseconds; 0 if the file system has none.
    """

    name: str
    size: int
    is_folder: bool
    is_link: bool
    changed: int = 0


class HadoopFiles:
    """The file system of one URI, with the operations that jobs need.

    Hadoop caches file systems by scheme, authority and user, so a cached file system may have been
    opened with another configuration; `outside_cache` opens a new one.

    Raises:
        UsageError: When Spark has no file system for the URI.
    """

    def __init__(self, spark: SparkSession, uri: str, *, is_cached: bool = True) -> None:
        jvm: Any = spark._jvm
        if spark not in _PATH_CLASSES:
            _PATH_CLASSES[spark] = jvm.org.apache.hadoop.fs.Path
        self._path: Any = _PATH_CLASSES[spark]
        configuration = spark._jsc.hadoopConfiguration()
        try:
            path = self._path(uri)
            self._fs: Any = (
                path.getFileSystem(configuration)
                if is_cached
                else jvm.org.apache.hadoop.fs.FileSystem.newInstance(path.toUri(), configuration)
            )
        except Exception as error:
            raise UsageError(
                explain(
                    f"Spark has no file system for {uri!r}.",
                    found=cause(error),
                    hint="add its connector to the cluster or with --packages (tfspark: --conf "
                    "spark.jars.packages=…); for a local name with a colon, write file:// and the "
                    "absolute path.",
                )
            ) from error

    @classmethod
    @contextmanager
    def outside_cache(cls, spark: SparkSession, uri: str) -> Iterator[HadoopFiles]:
        """Open a new file system with the SparkContext's configuration; close it after use.

        Raises:
            UsageError: When Spark has no file system for the URI.
        """
        files = cls(spark, uri, is_cached=False)
        try:
            yield files
        finally:
            files._fs.close()

    def qualified(self, uri: str) -> str:
        """Return the URI with scheme and authority."""
        return str(self._fs.makeQualified(self._path(uri)).toString())

    def uri(self, path: str) -> str:
        """Return the qualified URI for other programs, with all special characters escaped."""
        escaped = str(self._fs.makeQualified(self._path(path)).toUri().toASCIIString())
        return re.sub("^file:/+", "file:///", escaped)

    def resolve_links(self, uri: str) -> str:
        """Resolve the mount links of a `viewfs` URI; return any other URI unchanged."""
        there = self._path(uri)
        while there.getParent() is not None and not self._fs.exists(there):
            there = there.getParent()
        missing = str(self._path(uri).toString())[len(str(there.toString()).rstrip("/")) :]
        return str(self._fs.resolvePath(there).toString()).rstrip("/") + missing

    def canonical(self, uri: str) -> str:
        """Return the URI behind mount links; on HDFS with address and port of the name node."""
        place = self._path(self.resolve_links(self.qualified(uri)))
        where = place.toUri()
        scheme, authority = str(where.getScheme()), str(where.getAuthority() or "")
        if scheme in _OF_HDFS:  # other names of services lack the container or the volume
            service = place.getFileSystem(self._fs.getConf()).getCanonicalServiceName()
            authority = str(service or authority)
        return f"{scheme}://{authority}{where.getPath()}"

    def exists(self, uri: str) -> bool:
        """Whether there is a file or folder."""
        return bool(self._fs.exists(self._path(uri)))

    def matches(self, pattern: str) -> bool:
        """Whether a file or folder matches the path, which may be a glob."""
        found = self._fs.globStatus(self._path(pattern))
        return found is not None and len(found) > 0

    def children(self, uri: str) -> list[str]:
        """Return the sorted names in a folder; an empty list when it does not exist."""
        return sorted(status.getPath().getName() for status in self._listed(uri))

    def _listed(self, uri: str) -> Sequence[Any]:
        """Return the entries of a folder. Another job may remove it at any moment."""
        return if_there(lambda: self._fs.listStatus(self._path(uri))) or ()

    def folders(self, uri: str) -> list[str]:
        """Return the sorted names of the folders in a folder; empty when it does not exist."""
        listed = self._listed(uri)
        return sorted(status.getPath().getName() for status in listed if status.isDirectory())

    def files_below(self, uri: str) -> list[str]:
        """Return the sorted paths of all files in a folder and its folders, relative to it."""
        root = len(str(self._fs.makeQualified(self._path(uri)).toString()).rstrip("/")) + 1
        found, listed = [], self._fs.listFiles(self._path(uri), True)
        while listed.hasNext():
            found.append(str(listed.next().getPath().toString())[root:])
        return sorted(found)

    def entries_below(self, uri: str) -> Iterator[Entry]:
        """Yield all files and folders below a folder, each folder before its entries."""
        folders = [""]
        while folders:
            above = folders.pop()
            listed = self._fs.listStatusIterator(self._path(f"{uri}/{above}".rstrip("/")))
            while listed.hasNext():
                status = listed.next()
                name = above + str(status.getPath().getName())
                is_folder, is_link = bool(status.isDirectory()), bool(status.isSymlink())
                changed = int(status.getModificationTime())
                yield Entry(name, int(status.getLen()), is_folder, is_link, changed)
                if is_folder and not is_link:
                    folders.append(f"{name}/")

    def is_folder(self, uri: str) -> bool:
        """Whether the URI is a folder."""
        status = if_there(lambda: self._fs.getFileStatus(self._path(uri)))
        return status is not None and bool(status.isDirectory())

    def state(self, uri: str) -> tuple[int, int] | None:
        """Return size and modification time (ms) of a file; `None` when it does not exist."""
        status = if_there(lambda: self._fs.getFileStatus(self._path(uri)))
        return None if status is None else (int(status.getLen()), int(status.getModificationTime()))

    def check_creatable(self, uri: str) -> None:
        """Refuse a URI below a file, or below a local folder that this user cannot write.

        Raises:
            OutputExistsError: When an existing file or folder prevents it.
        """
        where = self._existing_above(uri)
        local = local_path(where)
        if not self.is_folder(where):
            problem = "is a file"
        elif local is not None and not os.access(local, os.W_OK | os.X_OK):
            problem = "cannot be written by this user"
        else:
            return
        raise OutputExistsError(
            explain(
                f"{uri} cannot be created: {where} {problem}.",
                expected="a folder to write into",
                hint="choose another place, or let this user write there.",
            )
        )

    def _existing_above(self, uri: str) -> str:
        """Return the first folder above a URI that exists."""
        parent = self._path(uri).getParent()
        while parent is not None and not self._fs.exists(parent):
            parent = parent.getParent()
        return "/" if parent is None else str(parent.toString())

    def free_bytes(self, uri: str) -> int:
        """Return the free bytes at a URI; a very large number where space has no limit."""
        return int(self._fs.getStatus(self._path(self._existing_above(uri))).getRemaining())

    def delete(self, uri: str) -> None:
        """Delete a file or folder with its content; do nothing when it does not exist."""
        self._fs.delete(self._path(uri), True)

    def write_text(self, uri: str, text: str) -> None:
        """Write a small text file, replacing it; a reader never sees a part of it.

        Object stores show a file when it is closed. Others show it when it is created, so there the
        file is written under another name.
        """
        target = written = self._path(uri)
        if scheme_of(self.qualified(uri)) in _SHOW_OPEN_FILES:
            written = self._path(f"{target.getParent().toString()}/.tfspark-{uuid4().hex}")
        try:
            stream = self._fs.create(written, True)
            try:
                stream.write(bytearray(text.encode()))
            finally:
                stream.close()
            if written is not target:
                self._fs.delete(target, False)  # a rename does not replace
                if not self._fs.rename(written, target):
                    raise OSError(f"the file system does not rename a file to {target.toString()}")
        finally:
            if written is not target:
                self._fs.delete(written, False)

    def head(self, uri: str, size: int) -> bytes:
        """Return the first bytes of a file."""
        stream = self._fs.open(self._path(uri))
        try:
            return bytes(stream.readNBytes(size))
        finally:
            stream.close()

    def copy_to_local(self, uri: str, target: Path) -> None:
        """Copy a file or folder to a local path that does not exist yet."""
        self._fs.copyToLocalFile(False, self._path(uri), self._path(str(target)), True)

    def copy_from_local(self, source: Path, uri: str) -> None:
        """Copy a local file or folder to a URI that does not exist yet; parents are made.

        On the local file system, Hadoop would write files with checksums beside the copies.
        """
        local = local_path(self.qualified(uri))
        if local is not None:
            shutil.copytree(source, local)
            return
        self._fs.mkdirs(self._path(uri).getParent())
        self._fs.copyFromLocalFile(False, False, self._path(str(source)), self._path(uri))
