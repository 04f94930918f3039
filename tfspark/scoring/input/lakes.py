"""Refuses folders that are tables of Delta Lake, Iceberg or Hudi. Driver.

Such a table keeps files whose rows were deleted or replaced; only its log lists the current files.
The log is searched in the folder and in those above it, because a partition is a folder inside its
table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tfspark.errors import InvalidInputError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.spark.cluster.files import HadoopFiles, local_path
from tfspark.spark.cluster.lakes import package_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_FORMATS = ("delta", "iceberg")
_GLOB = re.compile(r"[*?\[\]{}\\]")
# How many parent folders are searched. Also how many levels below a folder are searched if Spark
# reads all folders in it. More levels of partitions are rare.
_LEVELS = 5


@dataclass(frozen=True)
class _Kind:
    """A table format.

    Attributes:
        name: The name of the format.
        marks: Paths in the folder of a table, as Hadoop patterns; each of them identifies it.
        hint: How to use such a table.
        format: Its format in Spark; empty if the job cannot read its folder.
    """

    name: str
    marks: tuple[str, ...]
    hint: str
    format: str = ""


_KINDS = (
    _Kind(
        "a Delta table",
        ("_delta_log",),
        "name the table with --{flag}-table: by its name in the catalog, or as delta.`{path}`; the "
        "session needs the package {package} and Delta's extension.",
        "delta",
    ),
    _Kind(
        "an Iceberg table",
        ("metadata/*.metadata.json", "metadata/version-hint.text"),
        "name the table with --{flag}-table; the session needs the package {package} and a catalog "
        "of Iceberg.",
        "iceberg",
    ),
    _Kind(
        "a Hudi table",
        (".hoodie",),
        "name the table with --{flag}-table; the session needs the package "
        "org.apache.hudi:hudi-spark-bundle and Hudi's extension.",
    ),
)


def refuse_lake(spark: SparkSession, dataset: Dataset, flag: str) -> None:
    """Refuse a path that is such a table, or inside one.

    Args:
        spark: The session.
        dataset: An input, whose path may be a glob, or an output.
        flag: `input` or `output`.

    Raises:
        InvalidInputError: Names the format, and says how to use it.
    """
    if not dataset.path or dataset.format in _FORMATS:
        return
    files = HadoopFiles(spark, dataset.path)
    folder = files.qualified(dataset.path).rstrip("/")
    if flag == "output":
        folder = _GLOB.sub(r"\\\g<0>", folder)
    found = _found(files, folder)
    if found is None and dataset.option("recursiveFileLookup").lower() == "true":
        found = _found(files, folder + "/*" * _LEVELS)
    if found is not None:
        raise _error(spark, *found, dataset.path, flag)


def _found(files: HadoopFiles, folder: str) -> tuple[_Kind, str] | None:
    """Return the format and the folder of a table that a folder belongs to."""
    for _ in range(_LEVELS + 1):
        for kind in _KINDS:
            if any(_is_there(files, folder, mark) for mark in kind.marks):
                return kind, folder
        folder = folder.rpartition("/")[0]
        if not folder or folder.endswith((":", "/")):
            break
    return None


def _is_there(files: HadoopFiles, folder: str, mark: str) -> bool:
    local = local_path(folder)
    if local is not None and not _GLOB.search(folder):  # without the JVM this is fast
        return next(local.glob(mark), None) is not None
    return files.matches(f"{folder}/{mark}")


def _error(
    spark: SparkSession, kind: _Kind, folder: str, path: str, flag: str
) -> InvalidInputError:
    inside = "" if folder.endswith(path.rstrip("/")) else f", part of {folder}"
    package = package_of(spark.version, kind.format) if kind.format else ""
    hint = kind.hint.format(flag=flag, path=folder, package=package)
    if kind.format and flag == "input" and not inside:
        hint += f" Or add --input-format {kind.format}."
    return InvalidInputError(
        explain(
            f"{path} is {kind.name}{inside}, not a folder of files: "
            + (
                "its files contain rows that were deleted or replaced."
                if flag == "input"
                else "rows that are written there do not become part of the table."
            ),
            hint=hint,
        )
    )
