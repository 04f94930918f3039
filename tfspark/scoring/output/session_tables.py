"""The steps of a commit in the session's catalog, for tables that Spark keeps as files. Driver.

The folder of a table is committed like any folder. These steps follow before the journal is marked
as done. If a run is killed between them, the journal stays, and the next start repeats all steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import OutputBusyError, OutputExistsError, UsageError, explain
from tfspark.scoring.output.journal import PARTITIONS, Mode, TableRecord
from tfspark.scoring.output.places import TABLE, WORK, Places
from tfspark.scoring.output.staged_name import is_staged
from tfspark.scoring.output.stores import resolve_links
from tfspark.scoring.output.table_name import default_location, is_quoted, table_name
from tfspark.spark.cluster.files import HadoopFiles, local_path, scheme_of
from tfspark.spark.cluster.table_files import find_partitions, forget_contents, register_managed
from tfspark.spark.cluster.tables import Table, drop_table, external_location

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class SessionTables:
    """The tables of a session; implements `tfspark.scoring.output.apply.Tables`.

    Attributes:
        spark: The session.
        folder: Qualified path of the output, the folder of the table.
    """

    spark: SparkSession
    folder: str

    def show(self, table: TableRecord, mode: Mode) -> None:
        """See `Tables.show`. Only the rows of an existing table change."""
        if not is_quoted(table.name) or not self._is_folder(table.location):
            raise self._foreign(f"the table {table.name} in {table.location}")
        if table.definition:
            self._refuse_other(table.definition)
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
        self._refuse_other(name)
        drop_table(self.spark, name)

    def _refuse_other(self, name: str) -> None:
        """Refuse a table that no job has staged beside this output.

        Raises:
            OutputBusyError: Another program wrote the name, or made the table.
        """
        if not is_staged(name):
            raise self._foreign(f"the table {name}")
        if not self._exists(name):
            return
        place = external_location(self.spark, name)
        within = f"{resolve_links(Places(self.folder).hidden)}/{WORK}"
        if not place or not self._resolved(place).startswith(within):
            raise self._foreign(f"the table {name} in {place or 'another place'}")

    def _is_folder(self, location: str) -> bool:
        """Whether a location in a record, which may be no path at all, is that of the output."""
        try:
            return self._resolved(location) == resolve_links(self.folder)
        except UsageError:
            return False

    def _resolved(self, place: str) -> str:
        if local_path(place) is None or not scheme_of(place):
            place = HadoopFiles(self.spark, place).qualified(place)
        return resolve_links(place.rstrip("/"))

    def _foreign(self, found: str) -> OutputBusyError:
        hidden = Places(self.folder).hidden
        return OutputBusyError(
            explain(
                f"A file {hidden}/{WORK}*/{TABLE}, or journal, names a table that no job has "
                f"staged for {self.folder}.",
                expected="the table of this folder, and a staged table in the hidden folder",
                found=found,
                hint="find out who wrote the file, and move it away; then run the same command "
                "again.",
            )
        )

    def _exists(self, name: str) -> bool:
        return self.spark.catalog.tableExists(name)

    def _register(self, table: TableRecord) -> None:
        if not table.definition or not self._exists(table.definition):
            raise _elsewhere(table, "no such table")
        name = table_name(self.spark, table.name)
        if name.catalog or not self._is_folder(default_location(self.spark, name)):
            raise self._foreign(f"the new table {table.name} in {table.location}")
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
