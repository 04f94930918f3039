"""Finds the folder that an input is in, and refuses a table that is input and output. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.errors import TfsparkError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.output.table_name import TableName, location_of, table_name

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def folder_read(spark: SparkSession, source: Dataset) -> str:
    """Return the folder of an input; empty for a view, and for a table of another catalog."""
    if source.path:
        return source.path
    table = _named(spark, source)
    if table is None or table.catalog or not spark.catalog.tableExists(table.quoted):
        return ""
    return location_of(spark, table)


def refuse_same_table(spark: SparkSession, job: BatchJob, output: Output) -> None:
    """Refuse to write into the table that the job reads.

    The history of an overwritten table of Iceberg or Delta keeps the rows that were read, so such a
    table can be overwritten with its own rows.

    Raises:
        UsageError: Input and output are the same table.
    """
    if job.mode == "error" or not job.source.table or not job.target.table:
        return
    keeps_rows = isinstance(output, CatalogOutput) and output.records_runs
    read, written = _named(spark, job.source), _named(spark, job.target)
    if read is None or read != written or (keeps_rows and job.mode == "overwrite"):
        return
    raise UsageError(
        explain(
            f"The {job.target} is the input and the output of the job.",
            expected="two tables",
            hint="write to another table.",
        )
    )


def _named(spark: SparkSession, dataset: Dataset) -> TableName | None:
    """Return the full name of a table; `None` for a name such as delta.`/path`."""
    try:
        table = table_name(spark, dataset.table.lower()) if dataset.table else None
    except TfsparkError:
        return None
    return table if table is None or table.catalog else table.in_schema(spark)
