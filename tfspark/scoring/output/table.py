"""A table of Spark's own catalog as the output of a job: the commit of its folder. Driver.

Spark writes the rows to an external table in the folder of the run, which has the columns and
format of the target. The files are then committed like those of any folder, and the catalog is
updated (`session_tables.py`). The definition of the target never changes: columns, partition
columns, format, comments and properties stay. The lock is beside the table's folder, so a job that
writes the folder with `--output` and a job that writes the table exclude each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tfspark.errors import OutputBusyError, OutputExistsError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.csv_columns import refusing_blank_lines
from tfspark.scoring.output.definition import refuse_other_definition
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.folder_rules import refuse_own_input
from tfspark.scoring.output.journal import PARTITIONS, TableRecord
from tfspark.scoring.output.partitions import is_in_place, refuse_unpartitioned
from tfspark.scoring.output.places import TABLE
from tfspark.scoring.output.protocol import already_there, check_same_columns
from tfspark.scoring.output.session_tables import SessionTables
from tfspark.scoring.output.staged_name import staged_name
from tfspark.scoring.output.table_name import (
    TableName,
    check_free,
    check_schema,
    default_location,
)
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.reading import check_format
from tfspark.spark.cluster.table_files import options_of, partition_folders
from tfspark.spark.cluster.tables import Table, create_like, insert

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Characters of the target's name in the name of the staged table; a catalog allows 255.
_SHOWN = 150


@dataclass
class TableOutput(PathOutput):
    """A table that Spark keeps as files, such as a table of Hive.

    Attributes:
        table: Name of the table.
    """

    table: TableName
    _there: Table | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._there = self._find()  # by the given name: a temporary view has no schema
        path = self._location()
        self.table = self.table.in_schema(self.spark)
        self._open_at(path)

    @property
    def folder(self) -> str | None:
        """See `Output.folder`; only Spark writes the files of tables."""
        return None

    def check(self, *inputs: str) -> None:
        """See `Output.check`. After a dead job, `begin` recovers first and checks then."""
        if self._there is None:
            self._files.check_creatable(self._path)
            check_format(self.spark, self.target.format)
        self._check_hidden()
        if self.mode == PARTITIONS:
            by = self.target.partition_by if self._there is None else self._there.partitions
            refuse_unpartitioned(self.target, is_partitioned=bool(by))
        self._inputs = inputs
        refuse_own_input(self.spark, self._path, inputs, self.mode)
        if not self.has_leftover:
            self._check_there()

    def _find(self) -> Table | None:
        name = self.table.quoted
        return Table.of(self.spark, name) if self.spark.catalog.tableExists(name) else None

    def _location(self) -> str:
        """Return the folder of the table; for a new table, its default folder."""
        if self._there is None:
            check_schema(self.spark, self.table)
            return default_location(self.spark, self.table)
        if self._there.is_view:
            raise OutputExistsError(
                explain(f"{self.target.table} is a view.", expected="a table, or nothing")
            )
        return self._there.location

    def _refresh(self) -> None:
        if self._there is not None:
            self.spark.catalog.refreshTable(self.table.quoted)

    def _check_again(self) -> None:
        self._there = self._find()
        super()._check_again()

    def _check_there(self) -> None:
        place = self._location()
        if HadoopFiles(self.spark, place).qualified(place).rstrip("/") != self._path:
            raise OutputBusyError(
                explain(
                    f"Another program has just changed the {self.target}.",
                    expected=f"its files in {self._path}",
                    found=place,
                    hint="run the same command again.",
                )
            )
        if self._there is None:
            check_free(self.spark, self.table, self._path)
        elif self.mode == "error":
            raise already_there(str(self.target))
        else:
            self._refuse_partitions_elsewhere(self._there)
            refuse_own_input(self.spark, self._path, self._inputs, self.mode)
            self._check_folder()

    def _refuse_partitions_elsewhere(self, there: Table) -> None:
        if not there.partitions:
            return
        for folder in partition_folders(self.spark, there.name):
            if not is_in_place(folder, self._path, there.partitions):
                raise UsageError(
                    explain(
                        f"A partition of the {self.target} is not in the table's folder.",
                        expected=f"folders such as {self._path}/{there.partitions[0]}=…",
                        found=folder,
                        hint="move the partition into the folder, or write to another table.",
                    )
                )

    def _check_existing_columns(self) -> None:
        """Compare the columns with those of an existing table, in every mode."""
        if self._there is None or self._columns is None:
            return
        check_same_columns(self.target, self._there.columns, self._columns)
        refuse_other_definition(
            self.target, self._there.provider, self._there.partitions, takes_options=False
        )

    def _open(self) -> None:
        """Make the folder of the run; remove an empty folder in the place of a new table."""
        if self._there is None:
            self._store.remove_empty(self._root)
        super()._open()

    def _write(self, df: DataFrame) -> list[str]:
        """Let Spark write rows to a table in the folder of the run."""
        name, place = self._name_definition(), self._spark_folder
        tables = SessionTables(self.spark, self._path)
        tables.drop(name)
        if self._there is not None:
            create_like(self.spark, name, self._there, place)
        with refusing_blank_lines(self._files_of_table(), df) as rows:
            if self._there is not None:
                insert(rows, name)
                tables.drop(name)  # its files stay
            else:
                writer = rows.write.format(self.target.format)
                writer = writer.options(**self.target.options, path=place)
                writer.partitionBy(*self.target.partition_by).saveAsTable(name)
        return self._written()

    def _files_of_table(self) -> Dataset:
        """Return the target with the format, options and partitions of its files."""
        there = self._there
        if there is None or there.provider != "csv":
            return self.target
        options = options_of(self.spark, there.name)
        return replace(self.target, format="csv", options=options, partition_by=there.partitions)

    def _name_definition(self) -> str:
        """Return the name of the staged table; a file in the folder holds it for a recovery."""
        shown = staged_name(self.table.name[:_SHOWN], self.run.replace("-", "_"))
        note = f"{self._commit.work}/{TABLE}"
        try:
            with suppress(FileExistsError):  # a continued job keeps the name of its table
                self._store.create(note, self.table.sibling(shown).quoted)
        except FileNotFoundError as error:
            raise self._commit.lost("its folder is gone") from error
        name = self._store.read(note)
        if name is None:
            raise self._commit.lost("its folder is gone")
        return name

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Output.publish`."""
        if self.mode == "error" and self._find() is not None:  # created after the check
            raise already_there(str(self.target))
        super().publish(account)

    def _table_record(self) -> TableRecord:
        there = self._there
        record = TableRecord(self.table.quoted, self._path)
        if there is not None:
            return replace(record, partitions=there.partitions)
        columns = tuple(self.target.partition_by)
        return replace(record, partitions=columns, definition=self._name_definition())
