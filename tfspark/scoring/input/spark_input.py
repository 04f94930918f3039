"""Checks the files that a job reads through Spark, before and after the job. Driver.

Spark ignores empty files, gives null for a column that a file lacks, and converts an ORC column of
another type. Here such files are refused. If pyarrow cannot reach a file system, sizes and times
come from Spark's; columns are then not compared, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyarrow import fs

from tfspark.data_files.footers import (
    MAX_FOOTERS,
    WITH_FOOTERS,
    Footer,
    later_columns,
    read_footers,
    refuse_empty,
    refuse_missing,
    refuse_other_types,
)
from tfspark.data_files.listing import DataFile, changed, check_unchanged, states
from tfspark.errors import InvalidInputError, UsageError
from tfspark.file_systems import open_filesystem
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.input.headers import refuse_other_headers
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SparkInput:
    """The files of a DataFrame, with their state when the job was planned.

    Attributes:
        spark: The session.
        uris: The URIs of the files, escaped; empty for a source without files.
        files: The same files with sizes and times.
        footers: The footers of the first files, if the format has footers and pyarrow can read
            them.
        format: The format of the files.
    """

    spark: SparkSession
    uris: Sequence[str]
    files: Sequence[DataFile]
    footers: Sequence[Footer]
    format: str

    def check_columns(self, names: Collection[str] | None, *, allow_missing: bool) -> None:
        """Refuse a file that lacks a column, or an ORC file with a column of another type.

        Raises:
            InvalidInputError: Names the file.
        """
        if not self.footers:
            return
        if not allow_missing:
            refuse_missing(self.footers, names)
        if self.format == "orc":
            refuse_other_types(self.footers, names)
        if len(self.files) > MAX_FOOTERS:
            count = "the columns of the first %d of %d input files were compared, not the others'"
            _log.warning(count, MAX_FOOTERS, len(self.files))

    def explain_unbound(self, known: Collection[str]) -> None:
        """Refuse a file that lacks columns of other files, if Spark took the schema from it.

        Args:
            known: The columns that Spark knows. For ORC, Spark may take them from a file that is
                not the first by name.

        Raises:
            InvalidInputError: Names the file.
        """
        if self.footers:
            refuse_missing(self.footers, later_columns(self.footers, known))

    def check_unchanged(self, uris: Collection[str] | None = None) -> None:
        """Refuse files that changed since the job was planned; by default, check all files.

        Raises:
            InvalidInputError: Names the first such file.
        """
        planned = dict(zip(self.uris, self.files, strict=True))
        chosen = list(planned if uris is None else uris)
        check_unchanged([planned[uri] for uri in chosen], _states(self.spark, chosen))


def input_of(spark: SparkSession, rows: DataFrame, dataset: Dataset) -> SparkInput:
    """Find the files that a DataFrame reads.

    Raises:
        InvalidInputError: When a Parquet or ORC file is empty, or a CSV file has another header.
    """
    uris = _uris(rows, dataset)
    files = _states(spark, uris)
    gone = [uri for uri, file in zip(uris, files, strict=True) if file is None]
    if gone:
        raise changed(gone[0], "a file", "no file")
    there = [file for file in files if file is not None]
    refuse_empty(there, dataset.format)
    reached = _with_columns(uris, dataset.format)
    if reached is not None and dataset.format == "csv":
        refuse_other_headers(reached[0], there, dataset.reader_options)
    return SparkInput(spark, uris, there, _footers(reached, there, dataset.format), dataset.format)


def snapshot_of(spark: SparkSession, sources: Sequence[Source]) -> list[object] | None:
    """Return the state of everything that rows are read from: files, and versions of tables.

    Returns:
        The files with sizes and times, then the versions; equal lists mean equal rows. `None` if a
        source, such as JDBC, has neither files nor a version.
    """
    if not all(source.is_identified for source in sources):
        return None
    uris = sorted({uri for source in sources for uri in source.uris})
    versions = sorted({source.version for source in sources} - {""})
    try:
        return [*uris, *_states(spark, uris), *versions]
    except UsageError:  # only the reader of this source can open its files
        return None


def _uris(rows: DataFrame, dataset: Dataset) -> list[str]:
    """Return the URIs of the files; none if pyarrow's name of a file differs from Spark's."""
    if dataset.format != "tfrecord":
        return sorted(rows.inputFiles())
    place = HadoopFiles(rows.sparkSession, dataset.path).qualified(dataset.path)
    if not place.startswith("file:"):
        return []
    from tfspark.tfrecord.files import find

    return [Path(file.path).as_uri() for file in find([place])]


def _states(spark: SparkSession, uris: Sequence[str]) -> list[DataFile | None]:
    """Return the current state of files; `None` for a deleted file."""
    try:
        reached = _reached(uris)
    except OSError:  # Spark may have a file system for them
        reached = None
    if reached is not None:
        return states(*reached)
    found = []
    for uri in uris:
        path = unquote(uri)
        state = HadoopFiles(spark, path).state(path)
        found.append(None if state is None else DataFile(path, *state))
    return found


def _with_columns(uris: Sequence[str], file_format: str) -> tuple[fs.FileSystem, list[str]] | None:
    """Return what `_reached` returns; `None` for files whose columns are not compared."""
    if file_format not in (*WITH_FOOTERS, "csv"):
        return None
    try:
        return _reached(uris)
    except OSError as error:
        _log.info("the columns of the input files are not compared: %s", error)
        return None


def _footers(
    reached: tuple[fs.FileSystem, list[str]] | None, files: Sequence[DataFile], file_format: str
) -> list[Footer]:
    """Return the footers of the first files; none if pyarrow cannot read them."""
    if file_format not in WITH_FOOTERS or reached is None:
        return []
    try:
        return read_footers(reached[0], files, file_format)
    except InvalidInputError as error:  # Spark names it too, or can read it
        _log.info("the columns of the input files are not compared: %s", error)
        return []


def _reached(uris: Sequence[str]) -> tuple[fs.FileSystem, list[str]] | None:
    """Return pyarrow's file system of the files and their paths in it; `None` if it has none.

    Raises:
        OSError: When pyarrow cannot open the file system.
    """
    if not uris:
        return None
    names = [unquote(uri) for uri in uris]
    filesystem, path = open_filesystem(uris[0])
    ends = zip(reversed(path), reversed(names[0]), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    root, base = names[0][: len(names[0]) - same], path[: len(path) - same]
    if not all(name.startswith(root) for name in names):
        return None
    return filesystem, [base + name[len(root) :] for name in names]
