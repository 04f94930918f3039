"""Recognises a DataFrame that is a plain read of Parquet files. Driver of a classic session.

A plain read picks, renames and repeats columns of files, and does nothing else. Spark's optimized
plan decides: if the rows come from a cache, or if an extension of the session filters or masks
them, the plan is more than a projection of files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from tfspark.data_files.listing import DataFile
from tfspark.errors import TfsparkError
from tfspark.spark.cluster.settings import decrypts, set_on_classic

# More files would make `predict` slow, because the driver reads the footer of each.
MAX_FILES = 256

_SOURCES = "org.apache.spark.sql.execution.datasources."
_RELATION = f"{_SOURCES}LogicalRelation"
_PROJECT = "org.apache.spark.sql.catalyst.plans.logical.Project"
# Subclasses, such as those of Delta Lake, read files differently.
_PARTS = {
    "": f"{_SOURCES}HadoopFsRelation",
    "location": f"{_SOURCES}InMemoryFileIndex",
    "fileFormat": f"{_SOURCES}parquet.ParquetFileFormat",
}
# Spark adds these options to those of the user.
_OPTIONS = {"path", "paths", "serialization.format"}
# With one of these settings, a session reads files differently, or keeps branches without rows.
_SETTINGS = re.compile(
    r"spark\.sql\.(files\.ignore|caseSensitive|legacy\.(parquet|file)|optimizer\.excludedRules"
    r"|parquet\.(?!compression\.codec|outputTimestampType))"
)
# An attribute as Spark prints it: its name and number, and L for a bigint.
_ATTRIBUTE = re.compile(r"(.*)#(\d+)L?", re.S)
# The state of a file as Hadoop prints it.
_STATUS = re.compile(
    r"\w+\{path=file:(/.*?); isDirectory=false; length=(\d+);.*?; modification_time=(\d+);.*",
    re.S,
)


class NotPlainError(TfsparkError):
    """A DataFrame that is no plain read of Parquet files; the message is the reason."""


@dataclass(frozen=True)
class PlainRead:
    """The files and columns that a DataFrame consists of.

    Attributes:
        files: Files with rows, in Spark's order, with their state when Spark listed them. Spark
            knows times in milliseconds.
        columns: Each column of the DataFrame → its name in the schema of the files.
    """

    files: Sequence[DataFile]
    columns: Sequence[str]


def plain_read(df: DataFrame) -> PlainRead:
    """Return the files and columns of a DataFrame whose columns are named by position.

    Args:
        df: A DataFrame from `FedFrame.numbered`.

    Raises:
        NotPlainError: When it is not a plain read of at most `MAX_FILES` Parquet files of the local
            file system.
    """
    _check_session(df.sparkSession)
    try:
        plan = df._jdf.queryExecution().optimizedPlan()
    except (Py4JError, PySparkException) as error:  # Spark shows it when the rows are read
        raise NotPlainError("Spark cannot plan it") from error
    is_project = _class(plan) == _PROJECT
    relation = plan.child() if is_project else plan
    if _class(relation) != _RELATION:
        raise NotPlainError("it is more than a read of files, or it is cached")
    _check_relation(relation)
    known = dict(map(_attribute, _texts(relation.output())))
    picked = plan.projectList() if is_project else plan.output()
    columns = [
        _picked(text, name, known) for text, name in zip(_texts(picked), df.columns, strict=True)
    ]
    return PlainRead(_files(relation.relation().location()), columns)


def _check_session(spark: SparkSession) -> None:
    settings = [name for name in set_on_classic(spark) if _SETTINGS.match(name)]
    if settings:
        raise NotPlainError(f"the session sets {', '.join(settings)}")
    if decrypts(spark):
        raise NotPlainError("the session reads encrypted files")


def _check_relation(node: Any) -> None:
    relation = node.relation()
    for part, expected in _PARTS.items():
        found = _class(getattr(relation, part)() if part else relation)
        if found != expected:
            raise NotPlainError(f"it is read by {found.rpartition('.')[2]}")
    options = {str(name).lower() for name in _texts(relation.options().keys().toSeq())} - _OPTIONS
    reasons = [
        (bool(node.isStreaming()), "it is a stream"),
        (bool(node.catalogTable().isDefined()), "it is a table"),
        (bool(relation.partitionSchema().length()), "it has partition folders"),
        (bool(relation.bucketSpec().isDefined()), "it has buckets"),
        (bool(options), f"it is read with options: {', '.join(sorted(options))}"),
    ]
    for holds, reason in reasons:
        if holds:
            raise NotPlainError(reason)


def _attribute(text: str) -> tuple[str, str]:
    """Return the number and the name of an attribute."""
    found = _ATTRIBUTE.fullmatch(text)
    if found is None:
        raise NotPlainError(f"{text} is not a column of the files")
    return found[2], found[1]


def _picked(text: str, alias: str, known: dict[str, str]) -> str:
    """Return the name in the files of a picked column, such as `x#1` or `x#1 AS c0#9`."""
    source, separator, _ = text.rpartition(f" AS {alias}#")
    number, name = _attribute(source if separator else text)
    # Text such as -x#1 is an expression; no column of the files has number 1 and this name.
    if name.lower() != known.get(number, "").lower():
        raise NotPlainError("some of its columns are computed")
    return known[number]


def _files(index: Any) -> list[DataFile]:
    """Return the files that Spark reads: not hidden, and not empty."""
    listed = index.allFiles()
    if listed.size() > MAX_FILES:
        raise NotPlainError(f"it has more than {MAX_FILES} files")
    files = []
    for text in _texts(listed):
        found = _STATUS.fullmatch(text)
        if found is None:
            raise NotPlainError("its files are not in the local file system")
        path, size, milliseconds = found[1], int(found[2]), int(found[3])
        if path.rpartition("/")[2].startswith("_"):
            raise NotPlainError("Spark reads the schema of the folder from its summary file")
        if size:
            files.append(DataFile(path, size, milliseconds * 1_000_000))
    if not files:
        raise NotPlainError("it has no rows")
    return files


def _class(value: Any) -> str:
    return str(value.getClass().getName())


def _texts(sequence: Any) -> Iterator[str]:
    """Yield the items of a Scala sequence as text, with one call to the JVM."""
    if sequence.isEmpty():
        return
    separator = f"\n{uuid4().hex}\n"
    yield from str(sequence.mkString(separator)).split(separator)
