"""Reads the description of a table from its catalog, and changes tables. Driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile, islice, takewhile

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted

# Prefixes of properties that Hive and Spark manage.
_KEPT_BY_HIVE = ("transient_lastDdlTime", "last_modified_by", "last_modified_time", "option.")
_MASKED = "*********(redacted)"
_DETAILS = "# Detailed Table Information"
_STRICT = "hive.exec.dynamic.partition.mode"


@dataclass(frozen=True)
class Table:
    """A table of the session's catalog.

    Attributes:
        name: Quoted name.
        columns: Column → Spark type, in the order of the table.
        partitions: Columns by which it is partitioned.
        is_view: Whether it is a view (temporary views included).
        provider: Its format, such as `parquet` or `hive`.
        location: URI of its folder.
        properties: The properties that users have set.
    """

    name: str
    columns: Mapping[str, str]
    partitions: tuple[str, ...]
    is_view: bool
    provider: str
    location: str
    properties: Mapping[str, str]

    @classmethod
    def of(cls, spark: SparkSession, name: str) -> Table:
        """Describe a table that exists."""
        about = spark.catalog.getTable(name)
        is_view = about.isTemporary or about.tableType in ("VIEW", "TEMPORARY")
        lines = [] if is_view else _described(spark, name)
        details = dict(_after(_DETAILS, lines))
        partitions = takewhile(lambda line: line[0] != "", _after("# Partition Information", lines))
        return cls(
            name,
            dict(spark.table(name).dtypes),
            tuple(column for column, _ in partitions if not column.startswith("# ")),
            is_view,
            details.get("Provider", "").lower(),
            details.get("Location", ""),
            {} if is_view else properties_of(spark, name),
        )


def provider_of(spark: SparkSession, name: str) -> str:
    """Return the format of a table, such as `iceberg`; empty for a view or without a format."""
    if spark.catalog.getTable(name).isTemporary:
        return ""
    return dict(_after(_DETAILS, _described(spark, name))).get("Provider", "").lower()


def catalog_class(spark: SparkSession, catalog: str) -> str:
    """Return the class of a catalog; empty for Spark's own session catalog."""
    return spark.conf.get(f"spark.sql.catalog.{catalog or 'spark_catalog'}", "") or ""


def external_location(spark: SparkSession, name: str) -> str:
    """Return the URI of the folder of an external table; empty for all other tables and views."""
    details = dict(_after(_DETAILS, _described(spark, name)))
    return details.get("Location", "") if details.get("Type") == "EXTERNAL" else ""


def _described(spark: SparkSession, name: str) -> list[tuple[str, str]]:
    rows = spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
    return [(row["col_name"], row["data_type"] or "") for row in rows]


def _after(heading: str, lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Return the lines of a description below a heading."""
    return islice(dropwhile(lambda line: line[0] != heading, lines), 1, None)


def properties_of(spark: SparkSession, name: str) -> dict[str, str]:
    """Return the properties of a table that users have set."""
    rows = spark.sql(f"SHOW TBLPROPERTIES {name}").collect()
    return {row["key"]: row["value"] for row in rows if not row["key"].startswith(_KEPT_BY_HIVE)}


def create_like(spark: SparkSession, name: str, table: Table, location: str) -> None:
    """Create an empty external table with the columns and format of another table.

    Its properties are copied too, because some are options of the format. Spark does not show the
    values of masked properties, so these are not copied.

    Args:
        spark: The session.
        name: Quoted name of the new table.
        table: The other table.
        location: URI of the new table's folder. The folder stays when the table is dropped.
    """
    spark.sql(f"CREATE TABLE {name} LIKE {table.name} LOCATION {_text(location)}")
    known = {key: value for key, value in table.properties.items() if value != _MASKED}
    if known:
        pairs = ", ".join(f"{_text(key)} = {_text(value)}" for key, value in known.items())
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")


def insert(df: DataFrame, name: str) -> None:
    """Add rows to a table of the session's catalog; columns are matched by name."""
    spark = df.sparkSession
    with temporary_settings(spark, {_STRICT: "nonstrict"}):  # as Spark's own tables do
        df.select([quoted(column) for column in spark.table(name).columns]).write.insertInto(name)


def keep_on_disk(df: DataFrame) -> DataFrame:
    """Return the same rows, stored on the workers' disks after they are computed once."""
    return df.persist(StorageLevel.DISK_ONLY)


def create(
    df: DataFrame,
    name: str,
    file_format: str,
    options: Mapping[str, str],
    partition_by: Sequence[str],
    properties: Mapping[str, str],
) -> None:
    """Create a table of another catalog with rows, in one statement.

    If the format is Parquet (the default), the catalog chooses its own format.
    """
    writer = df.writeTo(name).options(**options)
    for key, value in properties.items():
        writer = writer.tableProperty(key, value)
    if file_format != "parquet":
        writer = writer.using(file_format)
    if partition_by:
        writer = writer.partitionedBy(*(sf.col(quoted(column)) for column in partition_by))
    writer.create()


def rename_table(spark: SparkSession, name: str, new_name: str) -> None:
    """Rename a table; the new name has no catalog."""
    spark.sql(f"ALTER TABLE {name} RENAME TO {new_name}")


def tables_in(spark: SparkSession, schema: str) -> list[str]:
    """Return the names of the tables in a schema."""
    return [row["tableName"] for row in spark.sql(f"SHOW TABLES IN {schema}").collect()]


def drop_table(spark: SparkSession, name: str) -> None:
    """Drop a table; do nothing when it does not exist."""
    spark.sql(f"DROP TABLE IF EXISTS {name}")


def append_rows(df: DataFrame, name: str, options: Mapping[str, str]) -> None:
    """Add rows to a table of another catalog; in one transaction if the table supports it."""
    df.writeTo(name).options(**options).append()


def replace_rows(df: DataFrame, name: str, options: Mapping[str, str]) -> None:
    """Replace all rows of a table; in one transaction if the table supports it."""
    df.writeTo(name).options(**options).overwrite(sf.lit(True))


def replace_partitions(df: DataFrame, name: str, options: Mapping[str, str]) -> None:
    """Replace the rows of the partitions that have new rows; in one transaction, as above."""
    df.writeTo(name).options(**options).overwritePartitions()


def partitioning_of(spark: SparkSession, name: str) -> list[str]:
    """Return a table's partition columns, and transforms such as `bucket(4, id)` of Iceberg."""
    lines = iter(_described(spark, name))
    heading = next((line[0] for line in lines if line[0].startswith("# Partition")), "")
    below = takewhile(lambda line: line[0] != "", lines)
    if heading == "# Partitioning":  # the transforms are called `Part 0`, `Part 1`
        return [transform for _, transform in below if transform]
    return [column for column, _ in below if not column.startswith("# ")]


def summaries_of_iceberg(spark: SparkSession, name: str, *keys: str) -> list[tuple[str, ...]]:
    """Return the values of these keys for each Iceberg snapshot whose summary has all of them."""
    entries = [sf.col("summary")[key].alias(key) for key in keys]
    rows = spark.table(f"{name}.snapshots").select(*entries).collect()
    return [tuple(row) for row in rows if None not in tuple(row)]


def commits_of_delta(spark: SparkSession, name: str) -> list[str]:
    """Return the user metadata of all commits of a Delta table."""
    rows = spark.sql(f"DESCRIBE HISTORY {name}").where("userMetadata IS NOT NULL")
    return [row["userMetadata"] for row in rows.collect()]


def set_property(spark: SparkSession, name: str, key: str, value: str) -> None:
    """Set a property of a table."""
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({_text(key)} = {_text(value)})")


def unset_property(spark: SparkSession, name: str, key: str) -> None:
    """Remove a property of a table; do nothing when the table does not have it."""
    spark.sql(f"ALTER TABLE {name} UNSET TBLPROPERTIES IF EXISTS ({_text(key)})")


@contextmanager
def temporary_settings(spark: SparkSession, settings: Mapping[str, str]) -> Iterator[None]:
    """Change settings of the session while the block runs."""
    before = {key: spark.conf.get(key, None) for key in settings}
    for key, value in settings.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, old in before.items():
            if old is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, old)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
