"""Updates the session's catalog after the files of a table have changed. Driver.

It needs a classic session. Each function can be repeated after any interruption.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tfspark.spark.cluster.scala_items import items, pairs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register_managed(spark: SparkSession, name: str, definition: str, location: str) -> None:
    """Register a folder with files as a managed table; do nothing when the table exists.

    Spark's SQL refuses a folder that is not empty. Spark's own CREATE TABLE AS SELECT writes the
    files first and then registers them with the same call.

    Args:
        spark: The session.
        name: Quoted name of the new table.
        definition: Quoted name of the table that has its columns, format and partitions.
        location: URI of the folder.
    """
    jvm: Any = spark._jvm
    tables: Any = jvm.org.apache.spark.sql.catalyst.catalog  # each step of the name is a call
    catalog = _catalog(spark)
    model = catalog.getTableMetadata(_identifier(spark, definition))
    place = jvm.scala.Option.apply(tables.CatalogUtils.stringToURI(location))
    storage, managed = _changed(model.storage(), place), tables.CatalogTableType.MANAGED()
    catalog.createTable(_changed(model, _identifier(spark, name), managed, storage), True, False)


def find_partitions(spark: SparkSession, name: str, *, drop_missing: bool) -> None:
    """Register the partitions that are in the folder of a table.

    Args:
        spark: The session.
        name: Quoted name of the table.
        drop_missing: Remove partitions from the catalog that are not in the folder.
    """
    spark.sql(f"MSCK REPAIR TABLE {name} {'SYNC' if drop_missing else 'ADD'} PARTITIONS")


def forget_contents(spark: SparkSession, name: str) -> None:
    """Drop the statistics of a table, and the session's cache of its file list."""
    jvm: Any = spark._jvm
    nothing = jvm.scala.Option.empty()
    _catalog(spark).alterTableStats(_identifier(spark, name), nothing)
    spark.catalog.refreshTable(name)


def options_of(spark: SparkSession, name: str) -> dict[str, str]:
    """Return the options of a table's format, such as `nullValue` of CSV."""
    about = _catalog(spark).getTableMetadata(_identifier(spark, name))
    return dict(pairs(about.storage().properties()))


def partition_folders(spark: SparkSession, name: str) -> Iterator[str]:
    """Yield the URI of the folder of each partition that the catalog knows."""
    jvm: Any = spark._jvm
    nothing = jvm.scala.Option.empty()
    for partition in items(_catalog(spark).listPartitions(_identifier(spark, name), nothing)):
        location = partition.location()
        yield str(jvm.org.apache.hadoop.fs.Path(location).toString())


def _state(spark: SparkSession) -> Any:
    session: Any = spark._jsparkSession
    return session.sessionState()


def _catalog(spark: SparkSession) -> Any:
    return _state(spark).catalog()


def _identifier(spark: SparkSession, name: str) -> Any:
    return _state(spark).sqlParser().parseTableIdentifier(name)


def _changed(value: Any, *first: Any) -> Any:
    """Copy a Scala case class with new first fields. Later fields depend on the Spark version."""
    kept = range(len(first), value.productArity())
    return value.copy(*first, *(getattr(value, f"copy$default${at + 1}")() for at in kept))
