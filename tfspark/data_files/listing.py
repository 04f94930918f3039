"""Lists the data files that Spark would read. Driver and executor.

For each file that pyarrow can reach, it records path, size and time of the last change, so that a
task detects a changed file. No Spark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyarrow import fs

from tfspark.errors import InvalidInputError, explain
from tfspark.file_systems import is_hidden


@dataclass(frozen=True)
class DataFile:
    """A file, with its state when it was listed.

    Attributes:
        path: Path within its file system.
        size: Size in bytes.
        changed: Time of the last change in nanoseconds; `None` if the file system has none.
    """

    path: str
    size: int
    changed: int | None = None


def list_files(filesystem: fs.FileSystem, path: str) -> list[DataFile]:
    """Return the files at a path that Spark would read, including summaries, sorted by name."""
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.File:
        return [_data_file(info)]
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    found = [
        _data_file(info)
        for info in filesystem.get_file_info(selector)
        if info.type == fs.FileType.File
        and not any(map(is_hidden, info.path[len(path) :].strip("/").split("/")))
    ]
    return sorted(found, key=lambda file: file.path)


def states(filesystem: fs.FileSystem, paths: Sequence[str]) -> list[DataFile | None]:
    """Return the current state of files; `None` for a deleted file."""
    infos = filesystem.get_file_info(list(paths))
    return [_data_file(info) if info.type == fs.FileType.File else None for info in infos]


def check_unchanged(files: Sequence[DataFile], now: Sequence[DataFile | None]) -> None:
    """Refuse files that have changed since they were listed.

    Raises:
        InvalidInputError: Names the first such file.
    """
    for before, after in zip(files, now, strict=True):
        if after != before:
            found = "no file" if after is None else f"{after.size} bytes"
            raise changed(before.path, f"{before.size} bytes", found)


def changed(path: str, before: str, now: str) -> InvalidInputError:
    """Return the error of an input file that changed; `before` and `now` are its sizes."""
    return InvalidInputError(
        explain(
            f"The input file {path} changed while the job ran.",
            expected=f"{before}, as when the job was planned",
            found=now if now != before else f"{now}, but written again",
            hint="run the job again when nothing writes to its input.",
        )
    )


def _data_file(info: fs.FileInfo) -> DataFile:
    return DataFile(info.path, info.size or 0, info.mtime_ns)
