"""Writes record batches as TFRecord files. Driver and executor.

Each task writes one file into a hidden folder. When all tasks are done, the driver moves the files
to their folder, then deletes the replaced files of an overwrite, then writes `_SUCCESS`. If a task
fails, only the hidden folder is deleted. If the driver is killed while it moves files, some of them
are visible; the batch job has a commit without this gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pyarrow import fs
from pyspark import TaskContext
from pyspark.sql.datasource import DataSourceArrowWriter, WriterCommitMessage

from tfspark.file_systems import is_hidden
from tfspark.tfrecord.columns import FeatureColumn, RecordType
from tfspark.tfrecord.encode import bytes_of, encode
from tfspark.tfrecord.files import file_system
from tfspark.tfrecord.records import framed

# Bytes of the rows that are converted at once.
_PART = 1 << 26


@dataclass
class WrittenFile(WriterCommitMessage):
    """The name of a file that a task wrote; empty for a task without rows."""

    name: str


class RecordWriter(DataSourceArrowWriter):
    """Writes one file for each task.

    Args:
        folder: Path or URI of the folder.
        columns: The columns of the rows.
        record_type: Type of the records.
        is_compressed: Whether gzip compresses the files.
        overwrite: Whether the files in the folder are replaced.
    """

    def __init__(
        self,
        folder: str,
        columns: Sequence[FeatureColumn],
        record_type: RecordType,
        is_compressed: bool,
        overwrite: bool,
    ) -> None:
        self._folder = folder.rstrip("/")
        self._columns = columns
        self._record_type = record_type
        self._extension = ".tfrecord.gz" if is_compressed else ".tfrecord"
        self._overwrite = overwrite
        self._run = uuid4().hex
        file_system(self._folder)

    @property
    def _staged(self) -> str:
        return f"{self._folder}/.tfrecord-{self._run}"

    def write(self, iterator: Iterator[Any]) -> WriterCommitMessage:
        """Write the rows of one task, which are record batches."""
        context = TaskContext.get()
        task = context.partitionId() if context else 0
        attempt = context.taskAttemptId() if context else 0
        name = f"part-{task:05d}-{self._run}-{attempt}{self._extension}"
        filesystem, place = file_system(f"{self._staged}/{name}")
        filesystem.create_dir(place.rpartition("/")[0])
        compression = "gzip" if name.endswith(".gz") else None
        rows = 0
        with filesystem.open_output_stream(place, compression=compression) as stream:
            for batch in iterator:
                rows += len(batch)
                for part in _parts(batch):
                    records = encode(part.columns, self._columns, self._record_type)
                    stream.write(b"".join(framed(bytes_of(records))))
        if not rows and task:  # the first task keeps an empty file, so that the folder has one
            filesystem.delete_file(place)
            return WrittenFile("")
        return WrittenFile(name)

    def commit(self, messages: list[WriterCommitMessage | None]) -> None:
        """Move the files of all tasks to their folder."""
        filesystem, folder = file_system(self._folder)
        filesystem.create_dir(folder)
        replaced = _files_in(filesystem, folder) if self._overwrite else []
        _, staged = file_system(self._staged)
        for message in messages:
            if isinstance(message, WrittenFile) and message.name:
                filesystem.move(f"{staged}/{message.name}", f"{folder}/{message.name}")
        for path in replaced:
            filesystem.delete_file(path)
        self._remove_staged()
        with filesystem.open_output_stream(f"{folder}/_SUCCESS", compression=None):
            pass

    def abort(self, messages: list[WriterCommitMessage | None]) -> None:  # noqa: ARG002
        """Delete the files of all tasks."""
        self._remove_staged()

    def _remove_staged(self) -> None:
        filesystem, staged = file_system(self._staged)
        if filesystem.get_file_info(staged).type == fs.FileType.Directory:
            filesystem.delete_dir(staged)


def _parts(batch: Any) -> Iterator[Any]:
    """Cut a record batch, so that one array can hold its records."""
    rows = max(1, len(batch) * _PART // max(batch.nbytes, 1))
    for first in range(0, len(batch), rows):
        yield batch.slice(first, rows)


def _files_in(filesystem: fs.FileSystem, folder: str) -> list[str]:
    infos = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    return [
        info.path
        for info in infos
        if info.type == fs.FileType.File and not is_hidden(info.base_name)
    ]
