"""Makes one row for each task, with the estimated size and the sources of a DataFrame. Driver.

It needs a classic session, and uses internal methods of Spark by py4j.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import LongType, StructField, StructType


def task_rows(like: DataFrame, count: int, name: str) -> DataFrame:
    """Return the numbers 0, 1, …, each in a partition of its own, as a bigint column.

    Without the estimate of `like`, Spark would take the scored rows of a large table for a few
    rows, and broadcast them in a join. `Dataset.checkpoint` keeps an estimate in the same way. For
    Spark, `mapInArrow` does not change the size.

    The analysed plan also contains `like`, but none of its rows. Spark searches this plan for the
    files that a query reads: before it overwrites files, and after it has written to files of a
    cached result. The optimized plan, which runs, no longer contains `like`.

    Args:
        like: Gives the estimate and the sources.
        count: Number of partitions.
        name: Name of the column; `explain()` shows it.
    """
    spark = like.sparkSession
    rows = spark.range(0, count, 1, count)._jdf.queryExecution().toRdd()
    # Spark plans this frame for its estimate, and never runs it.
    schema = StructType([StructField(name, LongType(), nullable=False)])
    estimated = like.mapInArrow(_never_called, schema)._jdf
    package: Any = spark._jvm.org.apache.spark.sql.execution  # type: ignore[union-attr]
    companion = getattr(getattr(package, "LogicalRDD$"), "MODULE$")
    try:
        plan = companion.fromDataset(rows, estimated, False)
    except Py4JError:  # newer versions of Spark have one more parameter
        default = getattr(companion, "fromDataset$default$4")()
        plan = companion.fromDataset(rows, estimated, False, default)
    numbers = type(like)(estimated.ofRows(spark._jsparkSession, plan), spark)
    nothing = like.where(sf.lit(False)).select(sf.lit(0).cast("bigint").alias(name))
    return numbers.unionAll(nothing)


def _never_called(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return iter(batches)
