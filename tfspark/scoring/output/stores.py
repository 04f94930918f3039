"""Which store a path is on. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.scoring.output.store import LocalStore, Store
from tfspark.spark.cluster.files import HadoopFiles, local_path, scheme_of
from tfspark.spark.cluster.strict_files import HadoopStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def behind_links(path: str) -> str:
    """Return the folder to which a qualified path leads, where links are in it on this machine.

    The hidden folder has to be on the same disk as the files, and the same for each name of them.
    """
    local = local_path(path)
    return path if local is None else f"file:{local.resolve()}"


def store_of(spark: SparkSession, path: str) -> tuple[Store, str]:
    """Return the store of a qualified path, and the path as the store knows it.

    A `viewfs` is followed to the file system behind its mount links, which all that is staged and
    published shares with the output.
    """
    if scheme_of(path) == "viewfs":
        path = HadoopFiles(spark, path).behind_links(path)
    local = local_path(path)
    return (HadoopStore(spark, path), path) if local is None else (LocalStore(), str(local))
