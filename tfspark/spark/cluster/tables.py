"""Reads the description of a table from its catalog, and changes tables. Driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import dropwhile, islice, takewhile

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import UsageError, explain, listing
from tfspark.spark.cluster.names import quoted

# Properties that Hive and Spark manage, and prefixes of other such properties.
_KEPT_BY_HIVE = ("transient_lastDdlTime", "last_modified_by", "last_modified_time", "option.")
_MASKED = "*********(redacted)"
_STRICT = "hive.exec.dynamic.partition.mode"


@dataclass(frozen=True)
class Table:
    """A table of the session's catalog.

    Attributes:
        name: Quoted.
        columns: Column → Spark type, in order.
        partitions: Columns by which it is partitioned.
        is_view: Whether it is a view, or a temporary one.
        is_external: Whether its folder stays when it is dropped.
        provider: Its format, such as `parquet` or `hive`.
        location: URI of its folder.
        comment: Empty if there is none.
        properties: The properties that users have set.
    """

    name: str
    columns: Mapping[str, str]
    partitions: tuple[str, ...]
    is_view: bool
    is_external: bool
    provider: str
    location: str
    comment: str
    properties: Mapping[str, str]

    @classmethod
    def of(cls, spark: SparkSession, name: str) -> Table:
        """Describe a table that exists."""
        about = spark.catalog.getTable(name)
        is_view = about.isTemporary or about.tableType in ("VIEW", "TEMPORARY")
        rows = [] if is_view else spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()
        lines = [(row["col_name"], row["data_type"] or "") for row in rows]
        details = dict(_after("# Detailed Table Information", lines))
        partitions = takewhile(lambda line: line[0] != "", _after("# Partition Information", lines))
        return cls(
            name,
            dict(spark.table(name).dtypes),
            tuple(column for column, _ in partitions if not column.startswith("# ")),
            is_view,
            about.tableType == "EXTERNAL",
            details.get("Provider", "").lower(),
            details.get("Location", ""),
            about.description or "",
            {} if is_view else _properties(spark, name),
        )


def _after(heading: str, lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Return the lines of a description below a heading."""
    return islice(dropwhile(lambda line: line[0] != heading, lines), 1, None)


def _properties(spark: SparkSession, name: str) -> dict[str, str]:
    rows = spark.sql(f"SHOW TBLPROPERTIES {name}").collect()
    return {row["key"]: row["value"] for row in rows if not row["key"].startswith(_KEPT_BY_HIVE)}


def create_like(spark: SparkSession, name: str, table: Table, location: str = "") -> None:
    """Create an empty table that is like another one except for its rows.

    Args:
        spark: The session.
        name: Quoted name of the new table.
        table: The other table.
        location: Path of the new table's folder; an external table needs one.

    Raises:
        UsageError: When Spark masks a property of the table, so that its value is not known.
    """
    _refuse_masked(table)
    where = f" LOCATION {_text(location)}" if location else ""
    spark.sql(f"CREATE TABLE {name} LIKE {table.name}{where}")
    if table.properties:
        pairs = ", ".join(f"{_text(key)} = {_text(it)}" for key, it in table.properties.items())
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({pairs})")
    if table.comment:
        spark.sql(f"COMMENT ON TABLE {name} IS {_text(table.comment)}")


def _refuse_masked(table: Table) -> None:
    hidden = [key for key, value in table.properties.items() if value == _MASKED]
    if hidden:
        raise UsageError(
            explain(
                f"Spark masks properties of the table {table.name}; an overwrite would lose them.",
                found=listing(hidden),
                hint="append to it, or set spark.redaction.regex so that it matches no property.",
            )
        )


def insert(df: DataFrame, name: str) -> None:
    """Add rows to a table of the session's catalog, each value to the column of its name."""
    spark = df.sparkSession
    with _any_partition(spark):
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
) -> None:
    """Create a table of another catalog with rows, as one statement.

    The catalog chooses the format unless it is another than Parquet.
    """
    writer = df.writeTo(name).options(**options)
    if file_format != "parquet":
        writer = writer.using(file_format)
    if partition_by:
        writer = writer.partitionedBy(*(sf.col(quoted(column)) for column in partition_by))
    writer.create()


def replace_rows(df: DataFrame, name: str) -> None:
    """Replace all rows of a table; in one transaction if the table supports it."""
    df.writeTo(name).overwrite(sf.lit(True))


@contextmanager
def _any_partition(spark: SparkSession) -> Iterator[None]:
    """Let Hive take the partitions from the rows, as Spark's own tables do."""
    before = spark.conf.get(_STRICT, None)
    spark.conf.set(_STRICT, "nonstrict")
    try:
        yield
    finally:
        if before is None:
            spark.conf.unset(_STRICT)
        else:
            spark.conf.set(_STRICT, before)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
