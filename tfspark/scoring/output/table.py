"""A table of Spark's own catalog as the output of a job: staged as another table. Driver.

A table that is overwritten keeps all but its rows: columns and their comments, partitions, format,
comment, properties. The rows are written to a table made like it, which then takes its name; of an
external table only the folder is exchanged. Rows are appended in one statement, from a cache on the
workers' disks, after they were counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.errors import OutputExistsError, UsageError, explain, listing
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.held_rows import HeldRows
from tfspark.scoring.output.partitions import check_partitions
from tfspark.scoring.output.protocol import (
    Mode,
    Unlocked,
    already_there,
    check_same_columns,
    replace,
)
from tfspark.scoring.output.table_name import TableName, check_new, default_location
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.tables import Table, create_like, insert

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Characters of a table's name in the names of what is staged for it; a catalog allows 255.
_SHOWN = 150


@dataclass
class TableOutput(Unlocked):
    """A table that Spark keeps as files, Hive's included."""

    spark: SparkSession
    target: Dataset
    table: TableName
    mode: Mode
    run: str
    held: HeldRows = field(default_factory=HeldRows, init=False)

    def __post_init__(self) -> None:
        staged = f"{self.table.name[:_SHOWN]}__tfspark_{self.run.replace('-', '_')}"
        self._staged, self._old = (self.table.sibling(one) for one in (staged, f"{staged}_old"))

    @property
    def folder(self) -> str | None:
        """See `Output.folder`."""
        return None

    def check(self, *inputs: str) -> None:  # noqa: ARG002
        """See `Output.check`; what it was read from stays, since only the catalog is changed."""
        there = self._there()
        if there is None:
            check_new(self.spark, self.table)
        elif self.mode == "error":
            raise already_there(str(self.target))
        elif there.is_view:
            raise OutputExistsError(
                explain(f"{self.target.table} is a view.", expected="a table, or nothing")
            )
        elif self.mode == "overwrite" and there.is_external and there.partitions:
            raise UsageError(
                explain(
                    f"The external table {self.target.table} has partitions, which cannot be "
                    "replaced in one step.",
                    hint=f"overwrite its folder with --output {there.location} --partition-by "
                    f"{','.join(there.partitions)}, then run MSCK REPAIR TABLE … SYNC PARTITIONS.",
                )
            )

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        check_partitions(self.target, columns)
        there = self._there()
        if there is None:
            return
        check_same_columns(self.target, there.columns, columns)
        wanted = [name.lower() for name in self.target.partition_by]
        if wanted and wanted != [name.lower() for name in there.partitions]:
            raise UsageError(
                explain(
                    f"The {self.target} keeps its partitions.",
                    expected=f"partitions by {listing(there.partitions)}",
                    found=f"--partition-by {','.join(self.target.partition_by)}",
                    hint="leave out --partition-by, or drop the table first.",
                )
            )

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        there = self._there()
        if there is None:
            writer = df.write.format(self.target.format).options(**self.target.options)
            writer.partitionBy(*self.target.partition_by).saveAsTable(self._staged.quoted)
        elif self.mode == "append":
            self.held.hold(df)
        else:
            create_like(self.spark, self._staged.quoted, there, self._beside(there))
            insert(df, self._staged.quoted)

    def take(self, files: Sequence[str]) -> None:
        """See `Output.take`."""
        raise NotImplementedError("tasks write no files of a table")

    def publish(self, account: Mapping[str, object]) -> None:  # noqa: ARG002
        """See `Output.publish`."""
        there = self._there()
        if there is not None and self.mode == "error":  # since the check, by someone else
            raise already_there(str(self.target))
        if self.held.rows is not None:
            insert(self.held.rows, self.table.quoted)
            self.held.release()
        elif there is not None and there.is_external:
            self._exchange_folders(there)
        else:
            replace(
                there is not None,
                retire=lambda: self._rename(self.table, self._old),
                show=lambda: self._rename(self._staged, self.table),
                restore=lambda: self._rename(self._old, self.table),
            )
            self.spark.sql(f"DROP TABLE IF EXISTS {self._old.quoted}")

    def discard(self) -> None:
        """See `Output.discard`; Spark makes the folder of a new table before the table itself."""
        self.held.release()
        there = self._there(self._staged)
        folder = default_location(self.spark, self._staged) if there is None else there.location
        self.spark.sql(f"DROP TABLE IF EXISTS {self._staged.quoted}")
        HadoopFiles(self.spark, folder).delete(folder)

    def _there(self, table: TableName | None = None) -> Table | None:
        name = (table or self.table).quoted
        return Table.of(self.spark, name) if self.spark.catalog.tableExists(name) else None

    def _beside(self, there: Table) -> str:
        """Return a folder beside that of an external table; empty for any other table."""
        return f"{there.location}.tfspark-{self.run}" if there.is_external else ""

    def _exchange_folders(self, there: Table) -> None:
        files, staged = HadoopFiles(self.spark, there.location), self._beside(there)
        self.spark.sql(f"DROP TABLE {self._staged.quoted}")  # its folder stays
        replace(
            files.exists(there.location),
            retire=lambda: files.rename(there.location, f"{staged}-old"),
            show=lambda: files.rename(staged, there.location),
            restore=lambda: files.rename(f"{staged}-old", there.location),
        )
        files.delete(f"{staged}-old")
        self.spark.catalog.refreshTable(self.table.quoted)

    def _rename(self, source: TableName, target: TableName) -> None:
        self.spark.sql(f"ALTER TABLE {source.quoted} RENAME TO {target.quoted}")
