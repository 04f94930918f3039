"""Parses and checks the name of a table before any task. Driver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import OutputExistsError, UsageError, explain
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PART = re.compile(r"(?:`((?:[^`]|``)+)`|([^`.]+))(\.(?!$)|$)")
# The names that Spark's own catalog and Hive's metastore allow.
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,255}")
OWN = "spark_catalog"


@dataclass(frozen=True)
class TableName:
    """The parts of a table's name.

    Attributes:
        catalog: Name of the catalog; empty for Spark's own catalog, also with Hive's metastore.
        schema: The schema, or nested schemas; empty for the current one.
        name: The table itself.
    """

    catalog: str
    schema: tuple[str, ...]
    name: str

    @property
    def quoted(self) -> str:
        """The whole name, quoted for SQL."""
        parts = [*filter(None, [self.catalog]), *self.schema, self.name]
        return ".".join(map(quoted, parts))

    def in_schema(self, spark: SparkSession) -> TableName:
        """Return the same table by a name that does not depend on the current schema."""
        return TableName(self.catalog, self.schema or (spark.catalog.currentDatabase(),), self.name)

    def sibling(self, name: str) -> TableName:
        """Return another table of the same schema."""
        return TableName(self.catalog, self.schema, name)


def table_name(spark: SparkSession, text: str) -> TableName:
    """Parse a name such as db.scores or `my db`.scores.

    Raises:
        UsageError: When it is not a table name, or its catalog does not exist.
    """
    parts = parts_of(text)
    current = spark.catalog.currentCatalog()
    if len(parts) > 1 and (parts[0] == OWN or spark.conf.get(f"spark.sql.catalog.{parts[0]}", "")):
        current, *parts = parts
    if current != OWN:
        return TableName(current, tuple(parts[:-1]), parts[-1])
    if len(parts) > 2:
        raise UsageError(
            explain(
                f"There is no catalog {parts[0]!r} for the table {text}.",
                expected="a name such as db.scores, or a catalog of this session",
                hint=f"configure it with --conf spark.sql.catalog.{parts[0]}=….",
            )
        )
    odd = [part for part in parts if not _PLAIN.fullmatch(part)]
    if odd:
        raise UsageError(
            explain(
                f"{text!r} cannot be the name of a table in Spark's own catalog.",
                expected="letters from A to Z, digits and _, at most 255 of them",
                found=odd[0] if len(odd[0]) < 99 else f"{len(odd[0])} characters",
            )
        )
    return TableName("", tuple(parts[:-1]), parts[-1])


def check_schema(spark: SparkSession, table: TableName) -> None:
    """Refuse to create a table in a schema that does not exist.

    Raises:
        UsageError: There is no such schema.
    """
    schema = ".".join(map(quoted, [*filter(None, [table.catalog]), *table.schema]))
    if table.schema and not spark.catalog.databaseExists(schema):
        raise UsageError(
            explain(
                f"There is no schema {schema} for the table {table.name}.",
                hint=f"create it first: CREATE SCHEMA {schema}.",
            )
        )


def check_free(spark: SparkSession, table: TableName, folder: str) -> None:
    """Refuse to create a table whose folder has files.

    Raises:
        OutputExistsError: The folder of the new table exists.
    """
    if HadoopFiles(spark, folder).children(folder):
        raise OutputExistsError(
            explain(
                f"The folder of the new table {table.quoted} exists and is not empty.",
                found=folder,
                hint="remove it, or choose another name.",
            )
        )


def default_location(spark: SparkSession, table: TableName) -> str:
    """Return the folder that Spark's own catalog gives a new table."""
    schema = table.schema[0] if table.schema else spark.catalog.currentDatabase()
    return f"{spark.catalog.getDatabase(quoted(schema)).locationUri}/{table.name.lower()}"


def location_of(spark: SparkSession, table: TableName) -> str:
    """Return the folder of a table of Spark's own catalog; empty for a view.

    For a table that does not exist, it is the default folder.

    Raises:
        UsageError: When it is in another catalog, or its schema does not exist.
    """
    if table.catalog:
        problem = f"Another catalog keeps the table {table.quoted}."
        raise UsageError(explain(problem, hint="name a table of Spark's own catalog."))
    if spark.catalog.tableExists(table.quoted):
        return Table.of(spark, table.quoted).location
    check_schema(spark, table)
    return default_location(spark, table)


def is_quoted(name: str) -> bool:
    """Whether a text is the quoted name of a table with its schema, and nothing else of SQL."""
    try:
        parts = parts_of(name)
    except UsageError:
        return False
    return len(parts) == 2 and name == ".".join(map(quoted, parts))


def parts_of(text: str) -> list[str]:
    """Return the parts of a name such as db.scores or `my db`.scores.

    Raises:
        UsageError: When it is not a table name.
    """
    parts, end = [], 0
    while found := _PART.match(text, end):
        parts.append(found.group(1).replace("``", "`") if found.group(1) else found.group(2))
        end = found.end()
        if end == len(text):
            return parts
    raise UsageError(
        explain(
            f"{text!r} is not a table name.", expected="a name such as db.scores or `my db`.scores"
        )
    )
