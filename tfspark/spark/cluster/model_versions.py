"""Lists the versions of a model on any file system that Spark reads. Driver.

A stream looks up the newest version at each micro-batch, so nothing is copied here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from tfspark.errors import ModelNotFoundError, explain, listing
from tfspark.saved_model.export_dir import choose_version
from tfspark.saved_model.files import files as files_of
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.session_kind import is_classic

# Names, sizes and modification times.
State: TypeAlias = tuple[tuple[object, ...], ...]


def newest_version(spark: SparkSession, base_path: str) -> int:
    """Return the largest number of a version folder.

    Raises:
        ModelNotFoundError: When the base path has no version folder, does not exist, or cannot be
            read.
        InvalidModelError: When two folders have the same number.
        UsageError: When Spark has no file system for the URI.
    """
    folders = _folders(spark, base_path)
    chosen = choose_version(folders, None, base_path)
    if chosen is None:
        raise ModelNotFoundError(
            explain(
                f"There is no version of a model at {base_path}.",
                expected="a base path with version folders named 1, 2, …",
                found=listing(folders),
                hint="export the model to a version folder; a stream looks for new versions there.",
            )
        )
    return chosen[1]


def state_of_version(spark: SparkSession, base_path: str, version: int) -> State:
    """Return what changes if a version is written again.

    Raises:
        ModelNotFoundError: When the version does not exist any more, or cannot be read.
    """
    folder, _ = choose_version(_folders(spark, base_path), version, base_path) or ("", 0)
    with _reading(base_path):
        local = _local(spark, base_path)
        if local is not None:
            listed = [(name, path.stat()) for name, path in files_of(local / folder)]
            return tuple((name, status.st_size, status.st_mtime_ns) for name, status in listed)
        with HadoopFiles.outside_cache(spark, base_path) as files:
            entries = files.entries_below(f"{base_path.rstrip('/')}/{folder}")
            return tuple(sorted((entry.name, entry.size, entry.changed) for entry in entries))


def _folders(spark: SparkSession, base_path: str) -> list[str]:
    with _reading(base_path):
        local = _local(spark, base_path)
        if local is not None:
            there = local.iterdir() if local.is_dir() else ()
            return [entry.name for entry in there if entry.is_dir()]
        with HadoopFiles.outside_cache(spark, base_path) as files:
            return files.folders(base_path)


@contextmanager
def _reading(base_path: str) -> Iterator[None]:
    """Turn errors of file systems into an error about the base path."""
    try:
        yield
    except (OSError, Py4JJavaError) as error:
        raise ModelNotFoundError(
            explain(
                f"The base path {base_path} cannot be read.",
                expected="a folder that the driver can list",
                found=cause(error),
                hint="check the file system and its rights.",
            )
        ) from error


def _local(spark: SparkSession, base_path: str) -> Path | None:
    """Return the base path on this machine; `None` when Spark has to read it."""
    local = local_path(base_path)
    if local is not None and (local.exists() or not is_classic(spark)):
        return local
    return None if is_classic(spark) else Path(base_path)
