"""Chooses the store of a path. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.store import Store
from tfspark.spark.cluster.files import HadoopFiles, local_path, scheme_of
from tfspark.spark.cluster.hadoop_store import HadoopStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def resolve_links(path: str) -> str:
    """Resolve the symbolic links of a qualified path, if it is local.

    So all names of an output have one hidden folder, and it is on the disk of the files.
    """
    local = local_path(path)
    return path if local is None else f"file:{local.resolve()}"


def store_of(spark: SparkSession, path: str) -> tuple[Store, str]:
    """Return the store of a qualified path, and the path in the form that the store takes.

    A `viewfs` path is resolved to the file system behind its mount links, so that staged files and
    the output are on one file system.
    """
    if scheme_of(path) == "viewfs":
        path = HadoopFiles(spark, path).resolve_links(path)
    local = local_path(path)
    return (HadoopStore(spark, path), path) if local is None else (LocalStore(), str(local))
