"""Appends the rows of a micro-batch to a Delta table, once. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, DataFrameWriter


def create_table(rows: DataFrame, path: str, table: str, partition_by: Sequence[str]) -> None:
    """Create an empty table for rows, unless it exists.

    Delta does not record a transaction in the commit that creates a table by name.
    """
    _save(rows.limit(0).write.mode("ignore").partitionBy(*partition_by), path, table)


def append_once(rows: DataFrame, path: str, table: str, application: str, version: int) -> None:
    """Append rows in one transaction, unless the table has this transaction.

    Args:
        rows: The rows.
        path: Folder of the table; empty when `table` is set.
        table: Name of the table.
        application: Identifies the writer (`txnAppId`).
        version: Number of the transaction (`txnVersion`). A table takes only larger numbers than
            its last one.
    """
    writer = rows.write.mode("append")
    _save(writer.options(txnAppId=application, txnVersion=str(version)), path, table)


def _save(writer: DataFrameWriter, path: str, table: str) -> None:
    writer = writer.format("delta")
    if table:
        writer.saveAsTable(table)
    else:
        writer.save(path)
