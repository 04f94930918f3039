"""Reads the TFRecord files that appear in a folder as a stream. Driver and executor.

The offset of a query has the files that were read, with size and time, so that a replayed
micro-batch reads the same files. Deleted files are removed from the offset, so that it does not
grow forever. If no file is left, the offset stays as it is: the folder may only be away for a
moment, and its files must not be read twice. Files have to appear complete: rename them into the
folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceStreamReader, InputPartition

from tfspark.errors import InputNotFoundError
from tfspark.spark.tfrecord.reading import batches_of, partitions_of
from tfspark.tfrecord.files import RecordFile, find
from tfspark.tfrecord.layout import Layout


class RecordStreamReader(DataSourceStreamReader):
    """Reads the files that appear at some paths."""

    def __init__(self, paths: Sequence[str], layout: Layout) -> None:
        self._paths = paths
        self._layout = layout
        self._offset: dict[str, Any] | None = None  # unknown until Spark tells

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802
        """Return the offset before the first file."""
        self._offset = {}
        return {}

    def latestOffset(self, start: Any = None, *_: object) -> dict[str, Any]:  # noqa: N802
        """Return the files that exist now. Spark 4.2 and later pass the offset and a limit.

        Raises:
            InputNotFoundError: When a query that starts again finds no file, and this Spark does
                not pass its offset.
        """
        if isinstance(start, dict):
            self._offset = start
        try:
            files = find(self._paths)
        except InputNotFoundError:  # the folder is still empty, or away
            if self._offset is None:
                raise
            return self._offset
        self._offset = {file.path: [file.root, str(file.size), str(file.changed)] for file in files}
        return self._offset

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[InputPartition]:
        """Return the work of a micro-batch: the files that are new, or were written again."""
        self._offset = self._offset or end
        new = {path: state for path, state in end.items() if start.get(path) != state}
        return partitions_of([_file(path, *state) for path, state in sorted(new.items())])

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read the files of one task."""
        return batches_of(partition, self._layout)


def _file(path: str, root: str, size: str, changed: str) -> RecordFile:
    return RecordFile(root, path, int(size), None if changed == "None" else int(changed))
