"""Chooses the output: a folder, a table of Spark's own catalog, or of another one. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.errors import UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.definition import refuse_definition
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.jdbc import JdbcOutput
from tfspark.scoring.output.protocol import Mode, Output
from tfspark.scoring.output.table import TableOutput
from tfspark.scoring.output.table_name import table_name
from tfspark.scoring.unused_options import refuse_unused
from tfspark.spark.cluster.jdbc import CATALOG
from tfspark.spark.cluster.lakes import check_installed, lake_of_catalog
from tfspark.spark.cluster.session_kind import is_classic
from tfspark.spark.cluster.tables import catalog_class, provider_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Formats of tables that Spark keeps as folders of files.
_FILES = ("", "parquet", "orc", "csv", "json", "avro", "text", "xml", "hive")


def output_of(spark: SparkSession, target: Dataset, mode: Mode, run: str) -> Output:
    """Return the output of a target; staged names contain `run`.

    Raises:
        UsageError: When the target cannot be an output, or has an option that Spark would ignore.
    """
    refuse_unused(target)
    if target.path:
        return PathOutput(spark, target, mode, run)
    if target.format == "tfrecord":
        raise UsageError(
            explain("A table cannot have TFRecord files.", hint="write a folder with --output.")
        )
    table = table_name(spark, target.table)
    lake = lake_of_catalog(spark, table.catalog)
    if lake:
        check_installed(spark, lake)
    if catalog_class(spark, table.catalog) == CATALOG and is_classic(spark):
        refuse_definition(target)
        return JdbcOutput(spark, target, table, mode, run)
    if table.catalog or not _is_of_files(spark, table.quoted, target):
        return CatalogOutput(spark, target, table, mode, run)
    return TableOutput(spark, target, mode, run, table)


def _is_of_files(spark: SparkSession, name: str, target: Dataset) -> bool:
    is_there = spark.catalog.tableExists(name)
    provider = provider_of(spark, name) if is_there else target.format.lower()
    return provider in _FILES
