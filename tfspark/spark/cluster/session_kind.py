"""Tells classic sessions and Spark Connect apart. Driver."""

from __future__ import annotations

from pyspark.sql import SparkSession


def is_classic(spark: SparkSession) -> bool:
    """Whether the session has its own JVM; a Connect session has none."""
    return hasattr(spark, "_jsc")
