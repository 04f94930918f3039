"""Reads the TFRecord files that appear in a folder as a stream. Driver and executor.

The offset of a query has the files that were read, with size and time, so that a replayed
micro-batch reads the same files. Deleted files are removed from the offset, so that it does not
grow forever. Files have to appear complete: rename them into the folder.
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

    def initialOffset(self) -> dict[str, Any]:  # noqa: N802
        """Return the offset before the first file."""
        return {}

    def latestOffset(self, *_: object) -> dict[str, Any]:  # noqa: N802
        """Return the files that exist now. Spark 4.2 and later pass the offset and a limit."""
        try:
            files = find(self._paths)
        except InputNotFoundError:  # the folder is still empty
            return {}
        return {file.path: [file.root, str(file.size), str(file.changed)] for file in files}

    def partitions(self, start: dict[str, Any], end: dict[str, Any]) -> list[InputPartition]:
        """Return the work of a micro-batch: the files that are new, or were written again."""
        new = {path: state for path, state in end.items() if start.get(path) != state}
        return partitions_of([_file(path, *state) for path, state in sorted(new.items())])

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Read the files of one task."""
        return batches_of(partition, self._layout)


def _file(path: str, root: str, size: str, changed: str) -> RecordFile:
    return RecordFile(root, path, int(size), None if changed == "None" else int(changed))
