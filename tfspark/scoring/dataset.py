"""Where rows come from and go to: a path with a format, or a table. Driver.

In comes what the user named, out goes a DataFrame, or a typed error before any task. The defaults
of CSV are those of a person with a spreadsheet: a header, and types found in the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.errors import UsageError, explain
from tfspark.spark.reading import read_path, read_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_READ_DEFAULTS = {"csv": {"header": "true", "inferSchema": "true"}}
WRITE_DEFAULTS = {"csv": {"header": "true"}}


@dataclass(frozen=True)
class Dataset:
    """A path with its format and options, or a table.

    Attributes:
        path: A path or URI as Spark reads it; empty when `table` is set.
        table: Name of a table or view, such as `db.scores`; empty when `path` is set.
        format: parquet, csv, json, orc, or any other that this Spark knows.
        options: Passed to Spark's reader or writer.
    """

    path: str = ""
    table: str = ""
    format: str = "parquet"
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.table):
            raise UsageError(
                explain(
                    "Rows come from, and go to, either a path or a table.",
                    found=f"path {self.path!r} and table {self.table!r}",
                )
            )

    def __str__(self) -> str:
        return f"table {self.table}" if self.table else f"{self.format} at {self.path}"

    def read(self, spark: SparkSession) -> DataFrame:
        """Return the rows, lazily; the schema is known.

        Raises:
            InputNotFoundError: When there is no such path or table, or no file in it.
            UsageError: When Spark cannot read that format here.
        """
        if self.table:
            return read_table(spark, self.table)
        options = {**_READ_DEFAULTS.get(self.format, {}), **self.options}
        return read_path(spark, self.path, self.format, options)
