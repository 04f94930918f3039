"""A table of another catalog (Iceberg, Delta, JDBC) as the output of a job. Driver.

Such tables are created, appended to and overwritten by one statement each, which their catalog
commits as one transaction where it has them. An overwritten table keeps all but its rows. Nothing
is renamed: an Iceberg table in a Hadoop catalog cannot be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.held_rows import HeldRows
from tfspark.scoring.output.partitions import check_partitions
from tfspark.scoring.output.protocol import Mode, Unlocked, already_there, check_same_columns
from tfspark.scoring.output.table_name import TableName, check_new
from tfspark.spark.cluster.tables import create, replace_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass
class CatalogOutput(Unlocked):
    """A table that its catalog writes by itself."""

    spark: SparkSession
    target: Dataset
    table: TableName
    mode: Mode
    held: HeldRows = field(default_factory=HeldRows, init=False)

    @property
    def folder(self) -> str | None:
        """See `Output.folder`."""
        return None

    def check(self, *inputs: str) -> None:  # noqa: ARG002
        """See `Output.check`."""
        if not self._exists():
            check_new(self.spark, self.table)
        elif self.mode == "error":
            raise already_there(str(self.target))

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        check_partitions(self.target, columns)
        if self._exists():
            there = self.spark.table(self.table.quoted)
            check_same_columns(self.target, dict(there.dtypes), columns)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        self.held.hold(df)

    def take(self, files: Sequence[str]) -> None:
        """See `Output.take`."""
        raise NotImplementedError("tasks write no files of a table")

    def publish(self, account: Mapping[str, object]) -> None:  # noqa: ARG002
        """See `Output.publish`."""
        rows, name = self.held.rows, self.table.quoted
        if rows is None:
            return
        exists = self._exists()
        if exists and self.mode == "error":  # since the check, by someone else
            raise already_there(str(self.target))
        if not exists:
            create(rows, name, self.target.format, self.target.options, self.target.partition_by)
        elif self.mode == "append":
            rows.writeTo(name).append()
        else:
            replace_rows(rows, name)
        self.held.release()

    def discard(self) -> None:
        """See `Output.discard`."""
        self.held.release()

    def _exists(self) -> bool:
        return self.spark.catalog.tableExists(self.table.quoted)
