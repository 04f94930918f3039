"""Pins an input of Delta Lake or Iceberg to the version that the job has found. Driver.

The job looks up the version once. Its reads, its digest and its report all use this version, so
commits of other programs do not change the rows while the job runs. A table behind a view or in a
query is not pinned; the log says so.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tfspark.errors import TfsparkError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.table_name import table_name
from tfspark.spark.cluster.lakes import (
    LAKES,
    check_installed,
    lake_of_catalog,
    newest_version,
)
from tfspark.spark.cluster.sources import Source
from tfspark.spark.cluster.tables import provider_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

# The name of a table by its folder, such as delta.`/data/scores`.
_BY_PATH = re.compile(r"\s*(delta|iceberg)\s*\.\s*`[^`]*/[^`]*`\s*", re.IGNORECASE)
# Options by which the user chooses a version.
_CHOSEN = ("versionasof", "timestampasof", "snapshot-id", "as-of-timestamp", "branch", "tag")


def pinned(spark: SparkSession, source: Dataset) -> Dataset:
    """Return the input with its current version, if it is a table of Delta Lake or Iceberg.

    Raises:
        UsageError: The format is not installed.
        InputNotFoundError: There is no such table.
    """
    lake = _lake_of(spark, source)
    if not lake:
        return source
    source.read(spark)  # raises if there is no such table
    if any(name.lower() in _CHOSEN for name in source.options):
        return source
    path = source.qualified(spark) if source.path else ""
    version = newest_version(spark, lake, path=path, table=source.table)
    return replace(source, version=version, format=lake)


def log_unpinned(sources: Sequence[Source]) -> None:
    """Log that tables with versions are not pinned; their rows may change while the job runs."""
    if any(source.has_versions for source in sources):
        _log.info(
            "tables of this input are not pinned to a version: if another program commits to them "
            "while the job runs, the job may read the new rows"
        )


def _lake_of(spark: SparkSession, source: Dataset) -> str:
    """Return the format of the input; empty unless it is Delta Lake or Iceberg, and installed."""
    by_path = _BY_PATH.fullmatch(source.table)
    if not source.path and by_path is None:
        return _lake_of_table(spark, source.table)
    lake = source.format if by_path is None else by_path[1].lower()
    if lake not in LAKES:
        return ""
    check_installed(spark, lake)
    return lake


def _lake_of_table(spark: SparkSession, table: str) -> str:
    try:
        catalog = table_name(spark, table).catalog
    except TfsparkError:  # Spark explains it when it reads the table
        return ""
    lake = lake_of_catalog(spark, catalog)
    if not lake:
        return ""
    check_installed(spark, lake)
    is_there = spark.catalog.tableExists(table)
    return lake if is_there and provider_of(spark, table) == lake else ""
