"""Runs statements on the database of a JDBC catalog, through the driver's JVM. Driver.

It needs a classic session. A connection is opened as Spark's own tasks open theirs: with the URL,
the driver and the other options of the catalog (`spark.sql.catalog.<name>.…`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError

from tfspark.errors import TfsparkError, explain
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.scala_items import pairs

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CATALOG = "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog"


class RefusedStatementError(TfsparkError):
    """A statement that the database refused."""


@dataclass(frozen=True)
class Transaction:
    """The statements of one transaction; all values are strings."""

    connection: Any

    def run(self, statement: str, *values: str) -> int:
        """Run a statement; return the number of rows that it changed.

        Raises:
            RefusedStatementError: The database refused it.
        """
        prepared = self._prepared(statement, *values)
        try:
            return int(prepared.executeUpdate())
        except Py4JJavaError as error:
            raise _refused(error) from error
        finally:
            prepared.close()

    def rows(self, query: str) -> list[tuple[str, ...]]:
        """Run a query; return its rows as texts, with an empty text for null.

        Raises:
            RefusedStatementError: The database refused it.
        """
        prepared = self._prepared(query)
        try:
            found = prepared.executeQuery()
            columns = range(1, found.getMetaData().getColumnCount() + 1)
            rows: list[tuple[str, ...]] = []
            while found.next():
                rows.append(tuple(found.getString(at) or "" for at in columns))
            return rows
        except Py4JJavaError as error:
            raise _refused(error) from error
        finally:
            prepared.close()

    def _prepared(self, statement: str, *values: str) -> Any:
        try:
            prepared = self.connection.prepareStatement(statement)
        except Py4JJavaError as error:  # some databases parse a statement here
            raise _refused(error) from error
        for at, value in enumerate(values, start=1):
            prepared.setString(at, value)
        return prepared


class Database:
    """The database of a JDBC catalog."""

    def __init__(self, spark: SparkSession, catalog: str) -> None:
        jvm: Any = spark._jvm
        sql: Any = jvm.org.apache.spark.sql
        options = _options(spark, catalog)
        every = jvm.PythonUtils.toScalaMap(options)
        self._types: Any = sql.types.DataTypes
        self._dialect: Any = sql.jdbc.JdbcDialects.get(options["url"])
        jdbc: Any = sql.execution.datasources.jdbc
        # The options need the name of a table, which opens no table.
        self._factory: Any = self._dialect.createConnectionFactory(
            jdbc.JDBCOptions(options["url"], "any", every)
        )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Commit the statements of the block; roll them back if it fails."""
        connection = self._factory.apply(-1)
        try:
            connection.setAutoCommit(False)
            yield Transaction(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()

    def quoted(self, *names: str) -> str:
        """Return a name in the quotes of the database."""
        return ".".join(str(self._dialect.quoteIdentifier(name)) for name in names)

    @property
    def text_type(self) -> str:
        """The type of a long text, such as CLOB."""
        found = self._dialect.getJDBCType(self._types.StringType)
        return "TEXT" if found.isEmpty() else str(found.get().databaseTypeDefinition())


def _refused(error: Py4JJavaError) -> RefusedStatementError:
    problem = "The database refused a statement of the job."
    return RefusedStatementError(explain(problem, found=cause(error)))


def _options(spark: SparkSession, catalog: str) -> dict[str, str]:
    session: Any = spark._jsparkSession
    prefix = f"spark.sql.catalog.{catalog}."
    settings = pairs(session.sessionState().conf().getAllConfs())
    return {name.removeprefix(prefix): value for name, value in settings if name.startswith(prefix)}
