"""Which store a path is on. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.scoring.output.store import LocalStore, Store
from tfspark.spark.cluster.files import local_path
from tfspark.spark.cluster.strict_files import HadoopStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def store_of(spark: SparkSession, path: str) -> tuple[Store, str]:
    """Return the store of a qualified path, and the path as the store knows it."""
    local = local_path(path)
    return (HadoopStore(spark, path), path) if local is None else (LocalStore(), str(local))
