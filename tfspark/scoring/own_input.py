"""Compares the input with the output: the same table, or the files of the output. Driver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tfspark.errors import TfsparkError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.folder_rules import own_files
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.output.table_name import OWN, TableName, location_of, table_name
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.names import quoted
from tfspark.spark.cluster.sources import Source

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


def without_target(spark: SparkSession, sources: Sequence[Source], output: Output) -> list[Source]:
    """Return the sources of a query without the rows of its target, which the job itself adds to.

    Otherwise the same command would be another job after a kill, because the job itself has changed
    the files or the version of its target.
    """
    others = [source for source in sources if source.table not in _names(spark, output)]
    folder = _folder_of(spark, output, others)
    if not folder:
        return others
    own = own_files(folder, others)
    return [
        replace(source, uris=tuple(uri for uri in source.uris if uri not in own))
        for source in others
        # The version of a table whose files are these.
        if not (source.has_versions and own.intersection(source.uris))
    ]


def _names(spark: SparkSession, output: Output) -> set[str]:
    """Return the names by which a plan knows the target, if it is a table of another catalog."""
    if not isinstance(output, CatalogOutput):
        return set()
    if output.table.catalog:
        return {output.table.quoted}
    name = output.table.in_schema(spark).quoted
    return {name, f"{quoted(OWN)}.{name}"}


def _folder_of(spark: SparkSession, output: Output, sources: Sequence[Source]) -> str:
    """Return the folder of the target; empty if no source can have files in it."""
    if not any(source.uris for source in sources):
        return ""
    if not isinstance(output, CatalogOutput):
        return output.place
    has_folder = not output.table.catalog and spark.catalog.tableExists(output.table.quoted)
    place = location_of(spark, output.table) if has_folder else ""
    return HadoopFiles(spark, place).qualified(place) if place else ""


def _named(spark: SparkSession, dataset: Dataset) -> TableName | None:
    """Return the full name of a table; `None` for a name such as delta.`/path`."""
    try:
        table = table_name(spark, dataset.table.lower()) if dataset.table else None
    except TfsparkError:
        return None
    return table if table is None or table.catalog else table.in_schema(spark)
