"""Finds all sources that a DataFrame reads, with their files or their version. Driver.

It needs a classic session. `DataFrame.inputFiles` gives no source without files, such as JDBC, and
no source in a subquery, so it cannot show whether the files are the whole input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JError
from pyspark.sql import DataFrame, SparkSession

from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.scala_items import items
from tfspark.spark.cluster.table_files import partition_folders

_FILE_RELATION = "org.apache.spark.sql.execution.FileRelation"
_FILE_TABLE = "org.apache.spark.sql.execution.datasources.v2.FileTable"
_ICEBERG_TABLE = "org.apache.iceberg.spark.source.SparkTable"
# Rows that the query itself contains or computes.
_CONSTANT = ("OneRowRelation", "Range")


@dataclass(frozen=True)
class Source:
    """One source of a DataFrame.

    Attributes:
        uris: The URIs of its files, escaped.
        version: The version of a table, or of constant rows; empty if the files identify the rows.
        table: The quoted name of a table of another catalog; empty for other sources.
        is_identified: Whether `uris` and `version` change when the rows change.
    """

    uris: tuple[str, ...] = ()
    version: str = ""
    table: str = ""
    is_identified: bool = True

    @property
    def has_versions(self) -> bool:
        """Whether the source is a table whose commits have versions."""
        return bool(self.version) and self.version not in _CONSTANT


def sources_of(df: DataFrame) -> list[Source]:
    """Return the sources of a DataFrame, including those of its subqueries."""
    return [_source(df.sparkSession, leaf) for leaf in _leaves(df)]


def _leaves(df: DataFrame) -> Iterator[Any]:
    plan: Any = df._jdf.queryExecution().optimizedPlan()
    for tree in (plan, *items(plan.subqueriesAll())):
        yield from items(tree.collectLeaves())


def _source(spark: SparkSession, leaf: Any) -> Source:
    kind = str(leaf.getClass().getName()).rpartition(".")[2].rstrip("$")
    if kind == "LogicalRelation" and _is(spark, leaf.relation(), _FILE_RELATION):
        return Source(_sorted(leaf.relation().inputFiles()), _version_of_delta(leaf.relation()))
    if kind == "HiveTableRelation":
        return Source(_files_of_hive(spark, leaf.tableMeta()))
    if kind == "DataSourceV2ScanRelation":
        return _of_catalog(spark, leaf.relation())
    if kind in _CONSTANT:
        return Source(version=kind)
    return Source(is_identified=False)


def _version_of_delta(relation: Any) -> str:
    """Return the version of a Delta table, whose files stay when rows are marked as deleted."""
    index = relation.location()
    is_delta = str(index.getClass().getName()).startswith("org.apache.spark.sql.delta.")
    return str(index.version()) if is_delta else ""


def _is(spark: SparkSession, value: Any, kind: str) -> bool:
    return bool(is_instance_of(spark.sparkContext._gateway, value, kind))


def _sorted(names: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted(map(str, names)))


def _files_of_hive(spark: SparkSession, about: Any) -> tuple[str, ...]:
    """Return the files of a table that Hive's own code reads: Spark knows only its folder."""
    folders = {str(about.location().toString())}
    if about.partitionColumnNames().nonEmpty():
        name = f"{quoted(about.database())}.{quoted(about.identifier().table())}"
        folders.update(partition_folders(spark, name))
    found = set[str]()
    for folder in folders:
        files = HadoopFiles(spark, folder)
        if files.exists(folder):
            root = folder.rstrip("/")
            found.update(files.uri(f"{root}/{name}") for name in files.files_below(folder))
    return _sorted(found)


def _of_catalog(spark: SparkSession, relation: Any) -> Source:
    table, name = relation.table(), _name_of(relation)
    if _is(spark, table, _FILE_TABLE):
        return Source(_sorted(table.fileIndex().inputFiles()), table=name)
    version = _version_of(table)
    return Source((), version or "", name, is_identified=version is not None)


def _name_of(relation: Any) -> str:
    """Return the quoted name of a table; empty for a path."""
    catalog, identifier = relation.catalog(), relation.identifier()
    if catalog.isEmpty() or identifier.isEmpty():
        return ""
    known = identifier.get()
    parts = [catalog.get().name(), *known.namespace(), known.name()]
    return ".".join(quoted(str(part)) for part in parts)


def _version_of(table: Any) -> str | None:
    """Return the version of a table that is read; `None` if it has no versions."""
    if str(table.getClass().getName()) == _ICEBERG_TABLE:
        return _snapshot_of_iceberg(table)
    try:
        version = table.version()
    except Py4JError:  # a method that Spark has from 4.1 on
        return None
    return None if version is None else f"{table.name()} {version}"


def _snapshot_of_iceberg(table: Any) -> str | None:
    """Return the snapshot of an Iceberg table; `None` for a branch other than the main one."""
    if table.branch() is not None:
        return None
    there = table.table()
    chosen, current = table.snapshotId(), there.currentSnapshot()
    if chosen is None and current is not None:
        chosen = current.snapshotId()
    return f"{there.location()} {chosen}"
