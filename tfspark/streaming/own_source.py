"""Refuses a stream that would read the files that it writes. Driver; classic sessions only.

Only the folders of Spark's own file sources are compared. A source that is a glob is not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tfspark.errors import UsageError, explain
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.scala_items import items

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_GLOB = re.compile(r"[*?\[\]{}]")


def refuse_own_source(stream: DataFrame, target: str) -> None:
    """Refuse a target that is a folder of the stream's source, or is inside it.

    Args:
        stream: A DataFrame of `spark.readStream`.
        target: Path or URI of the folder of the scored rows.

    Raises:
        UsageError: The stream would score its own output again and again.
    """
    spark = stream.sparkSession
    written = HadoopFiles(spark, target).canonical(target)
    for folder in _folders(stream):
        read = HadoopFiles(spark, folder).canonical(folder).rstrip("/")
        if written == read or written.startswith(f"{read}/"):
            raise UsageError(
                explain(
                    f"The stream would read the rows that it writes to {target}.",
                    expected="a target outside of the folder that the stream reads",
                    found=f"a stream of {folder}",
                    hint="choose another folder as the target.",
                )
            )


def _folders(stream: DataFrame) -> Iterator[str]:
    """Yield the folders that a stream reads."""
    plan: Any = stream._jdf.queryExecution().analyzed()
    for leaf in items(plan.collectLeaves()):
        if str(leaf.getClass().getSimpleName()) == "StreamingRelation":
            path = leaf.dataSource().options().get("path")
            if path.isDefined() and not _GLOB.search(str(path.get())):
                yield str(path.get())
