"""Finds and opens TFRecord files on the file systems of pyarrow and fsspec. Driver and executor.

A path is a file, a folder or a glob; folders are not searched for more folders. Files whose names
begin with `_` or `.` are hidden. A name that ends in `.gz` means gzip. No Spark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from tfspark.errors import InputNotFoundError, InvalidInputError, UsageError, explain
from tfspark.file_systems import is_hidden, open_filesystem
from tfspark.tfrecord.records import Records, read_records

_GLOB = re.compile(r"[*?\[]")
_LOCAL = re.compile(r"file:(//(?=/))?(?=/)")
# Characters of URIs that are not escaped.
_OF_URIS = "/:?#@!$&'()*+,;=%~"


@dataclass(frozen=True)
class RecordFile:
    """A TFRecord file, with its state when it was listed.

    Attributes:
        root: A path or URI on its file system.
        path: Its path within the file system.
        size: Size in bytes.
        changed: Time of the last change in nanoseconds; `None` if the file system has none.
    """

    root: str
    path: str
    size: int
    changed: int | None = None

    def records(self) -> Iterator[Records]:
        """Read the records, in chunks.

        Raises:
            InvalidInputError: When the file is broken, or has changed since it was listed.
            InputNotFoundError: When the file does not exist any more.
        """
        filesystem, _ = file_system(self.root)
        info = filesystem.get_file_info(self.path)
        now = RecordFile(self.root, self.path, info.size or 0, info.mtime_ns)
        if info.type != fs.FileType.File or now != self:
            raise InvalidInputError(
                explain(
                    f"The file {self.path} has changed since it was listed.",
                    expected=f"{self.size} bytes",
                    found="no file" if info.type == fs.FileType.NotFound else f"{now.size} bytes",
                    hint="run the query again when nothing writes to its input. Write files under "
                    "another name first, and rename them when they are complete.",
                )
            )
        with filesystem.open_input_stream(self.path, compression=None) as stream:
            yield from records_in(self.path, stream)


def records_in(path: str, source: pa.NativeFile) -> Iterator[Records]:
    """Read the records of an open file; a path that ends in `.gz` means gzip.

    Raises:
        InvalidInputError: When a record is broken or cut; names the file and the offset.
    """
    is_gzip = path.endswith(".gz")
    return read_records(path, pa.CompressedInputStream(source, "gzip") if is_gzip else source)


def file_system(path: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or URI, and the path within it.

    Raises:
        UsageError: When neither pyarrow nor fsspec reaches it.
    """
    local = _LOCAL.sub("", path)
    is_uri = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", local) is not None
    try:
        return open_filesystem(quote(local, _OF_URIS) if is_uri else str(Path(local).absolute()))
    except OSError as error:
        raise UsageError(
            explain(
                f"The format tfrecord cannot reach {path}.",
                expected="a file system of pyarrow (local files, hdfs, s3, gs, abfss) or of fsspec",
                found=str(error),
                hint="copy the files to one of these file systems.",
            )
        ) from error


def find(paths: Sequence[str]) -> list[RecordFile]:
    """Return the files at some paths, sorted by path.

    Raises:
        InputNotFoundError: When a path has no file.
        UsageError: When a folder has folders, which are not searched.
    """
    return sorted((file for path in paths for file in _find(path)), key=lambda file: file.path)


def _find(root: str) -> list[RecordFile]:
    base = root
    while _GLOB.search(base):
        base = base.rpartition("/")[0] or ("/" if base.startswith("/") else "")
    filesystem, folder = file_system(base or ".")
    if base == root:
        info = filesystem.get_file_info(folder)
        if info.type == fs.FileType.File:
            return [_record_file(root, info)]
        infos = [] if info.type == fs.FileType.NotFound else _visible(filesystem, folder)
        _refuse_folders(root, infos)
    else:
        below = root[len(base) :].strip("/").split("/")
        parts = [*folder.rstrip("/").split("/"), *below]
        listed = _visible(filesystem, folder, recursive=len(below) > 1)
        infos = [info for info in listed if _matches(info.path, parts)]
    files = [_record_file(base or ".", info) for info in infos if info.type == fs.FileType.File]
    if not files:
        raise InputNotFoundError(
            explain(f"There is no TFRecord file at {root}.", hint="check the path.")
        )
    return files


def _visible(
    filesystem: fs.FileSystem, folder: str, *, recursive: bool = False
) -> list[fs.FileInfo]:
    selector = fs.FileSelector(folder, recursive=recursive, allow_not_found=True)
    infos = filesystem.get_file_info(selector)
    return [
        info
        for info in infos
        if not any(map(is_hidden, info.path[len(folder) :].strip("/").split("/")))
    ]


def _matches(path: str, patterns: Sequence[str]) -> bool:
    parts = path.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _refuse_folders(root: str, infos: Sequence[fs.FileInfo]) -> None:
    folders = [info.path for info in infos if info.type == fs.FileType.Directory]
    if folders:
        raise UsageError(
            explain(
                f"The folder {root} has folders, which are not searched.",
                found=folders[0],
                hint=f"read a glob, such as {root}/*/*.tfrecord.",
            )
        )


def _record_file(root: str, info: fs.FileInfo) -> RecordFile:
    return RecordFile(root, info.path, info.size or 0, info.mtime_ns)


def grouped(files: Sequence[RecordFile], size: int) -> list[list[RecordFile]]:
    """Put small files together, up to this number of bytes for each group."""
    groups: list[list[RecordFile]] = []
    room = 0
    for file in files:
        if not groups or file.size > room:
            groups.append([])
            room = size
        groups[-1].append(file)
        room -= file.size
    return groups
