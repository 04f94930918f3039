"""Refuses an output folder that contains the input, or that is a mount point. Driver."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tfspark.errors import UsageError, explain
from tfspark.scoring.output.store import LocalStore, Store
from tfspark.scoring.output.stores import behind_links
from tfspark.spark.cluster.files import HadoopFiles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def refuse_to_delete(spark: SparkSession, folder: str, inputs: Collection[str]) -> None:
    """Refuse to overwrite a folder that contains a part of the input.

    Raises:
        UsageError: The message names the first such part.
    """
    inside = f"{behind_links(folder)}/"
    for path in inputs:
        if behind_links(HadoopFiles(spark, path).qualified(path)).startswith(inside):
            raise UsageError(
                explain(
                    f"Overwriting {folder} would delete {path}, which the job reads.",
                    hint="choose another output.",
                )
            )


def refuse_mount(store: Store, folder: str) -> None:
    """Refuse a mount point: no file can be renamed into it from the hidden folder beside it.

    Raises:
        UsageError: A disk or volume is mounted at the folder, as in a container.
    """
    if isinstance(store, LocalStore) and store.is_mount(folder):
        raise UsageError(
            explain(
                f"A disk or volume is mounted at {folder}, so no file can be moved into it.",
                expected="a folder on the same disk as the folder above it",
                hint=f"write to a folder in it, such as {folder}/scores.",
            )
        )
