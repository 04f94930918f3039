"""A table as the output of a job: staged as another table, shown by a rename. Driver.

An overwritten table is replaced, not emptied: it has the format of the job and no partitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import OutputExistsError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.publish import Mode, already_there, check_same_columns, replace
from tfspark.spark.counting import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_NAME_PART = re.compile(r"(?:`((?:[^`]|``)+)`|([^`.]+))(\.(?!$)|$)")


@dataclass
class TableOutput:
    """A table of the session's catalog, Hive's included."""

    spark: SparkSession
    target: Dataset
    mode: Mode
    run: str

    def __post_init__(self) -> None:
        *self._schema, name = _name_parts(self.target.table)
        staged = f"{name}__tfspark_{self.run.replace('-', '_')}"
        self._table, self._staged, self._old = (
            ".".join(map(quoted, [*self._schema, one])) for one in (name, staged, f"{staged}_old")
        )

    def check(self, *inputs: str) -> None:  # noqa: ARG002
        """See `Output.check`; what it was read from stays, since only the catalog is changed."""
        if not self._exists():
            self._check_schema()
        elif self.mode == "error":
            raise already_there(str(self.target))
        elif self.spark.catalog.getTable(self._table).tableType in ("VIEW", "TEMPORARY"):
            raise OutputExistsError(
                explain(f"{self.target.table} is a view.", expected="a table, or nothing")
            )

    def _check_schema(self) -> None:
        schema = ".".join(map(quoted, self._schema))
        if schema and not self.spark.catalog.databaseExists(schema):
            raise UsageError(
                explain(
                    f"There is no schema {schema} for {self.target}.",
                    hint=f"create it first: CREATE SCHEMA {schema}.",
                )
            )

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`; Spark itself checks the types of an insert."""
        if self.mode == "append" and self._exists():
            check_same_columns(self.target, self.spark.table(self._table).columns, columns)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`; an append to an existing table is one insert, committed by Spark."""
        if self.mode == "append" and self._exists():
            df.select(self.spark.table(self._table).columns).write.insertInto(self._table)
        else:
            writer = df.write.format(self.target.format).options(**self.target.options)
            writer.saveAsTable(self._staged)

    def publish(self) -> None:
        """See `Output.publish`."""
        if not self._exists(self._staged):
            return
        if self.mode == "error" and self._exists():  # since the check, by someone else
            raise already_there(str(self.target))
        replace(
            self.mode == "overwrite" and self._exists(),
            retire=lambda: self._rename(self._table, self._old),
            show=lambda: self._rename(self._staged, self._table),
            restore=lambda: self._rename(self._old, self._table),
        )
        self.spark.sql(f"DROP TABLE IF EXISTS {self._old}")

    def discard(self) -> None:
        """See `Output.discard`."""
        self.spark.sql(f"DROP TABLE IF EXISTS {self._staged}")

    def _exists(self, table: str = "") -> bool:
        return self.spark.catalog.tableExists(table or self._table)

    def _rename(self, source: str, target: str) -> None:
        self.spark.sql(f"ALTER TABLE {source} RENAME TO {target}")


def _name_parts(table: str) -> list[str]:
    """Return the parts of a table name such as db.scores or `my db`.scores.

    Raises:
        UsageError: When it is no such name.
    """
    parts, end = [], 0
    while found := _NAME_PART.match(table, end):
        parts.append(found.group(1).replace("``", "`") if found.group(1) else found.group(2))
        end = found.end()
        if end == len(table):
            # Spark renames its own catalog's tables only without that catalog's name.
            return parts[1:] if len(parts) > 2 and parts[0] == "spark_catalog" else parts
    raise UsageError(
        explain(
            f"{table!r} is no table name.", expected="a name such as db.scores or `my db`.scores"
        )
    )
