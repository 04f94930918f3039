"""The steps of a commit in the session's catalog, for tables that Spark keeps as files. Driver.

The folder of a table is committed like any folder. These steps follow before the journal is marked
as done. If a run is killed between them, the journal stays, and the next start repeats all steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import OutputBusyError, OutputExistsError, explain
from tfspark.scoring.output.journal import PARTITIONS, Mode, TableRecord
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.table_files import find_partitions, forget_contents, register_managed
from tfspark.spark.cluster.tables import Table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class SessionTables:
    """The tables of a session; implements `tfspark.scoring.output.apply.Tables`."""

    spark: SparkSession

    def show(self, table: TableRecord, mode: Mode) -> None:
        """See `Tables.show`. Only the rows of an existing table change."""
        if self._exists(table.name):
            self._refuse_another(table)
        else:
            self._register(table)
        if table.partitions:
            adds = mode in ("append", PARTITIONS)
            find_partitions(self.spark, table.name, drop_missing=not adds)
        forget_contents(self.spark, table.name)
        if table.definition:
            self.drop(table.definition)

    def drop(self, name: str) -> None:
        """See `Tables.drop`. Staged tables are external, so their files stay."""
        self.spark.sql(f"DROP TABLE IF EXISTS {name}")

    def _exists(self, name: str) -> bool:
        return self.spark.catalog.tableExists(name)

    def _register(self, table: TableRecord) -> None:
        if not table.definition or not self._exists(table.definition):
            raise _elsewhere(table, "no such table")
        register_managed(self.spark, table.name, table.definition, table.location)

    def _refuse_another(self, table: TableRecord) -> None:
        place = Table.of(self.spark, table.name).location
        if HadoopFiles(self.spark, place).qualified(place).rstrip("/") != table.location:
            if not table.definition:
                raise _elsewhere(table, f"a table in {place}")
            raise OutputExistsError(
                explain(
                    f"Another program created the table {table.name} during the job.",
                    expected=f"a table in {table.location}",
                    found=place,
                    hint="drop one of the two tables, and run the job again.",
                )
            )


def _elsewhere(table: TableRecord, found: str) -> OutputBusyError:
    """Return the error of a session that cannot finish a job; some of its files may be shown."""
    return OutputBusyError(
        explain(
            f"A job has put its files into the folder of the table {table.name}, and this session "
            "cannot finish it.",
            expected=f"a catalog with the table in {table.location}",
            found=found,
            hint="run the same command with the catalog of the table; if another program dropped "
            "the table, remove this folder and the hidden one beside it.",
        )
    )
