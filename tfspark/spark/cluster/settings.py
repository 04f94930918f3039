"""Which settings of a session were set by its user. Driver.

Spark answers a question for one setting with its default where nothing was set, so that only the
list of all tells them apart. `spark.conf.getAll` gives it from Spark 4.0 on; `SET` gives it always.
"""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession


def set_by_user(spark: SparkSession) -> frozenset[str]:
    """Return the names of all settings that have a value of their own."""
    return frozenset(row["key"] for row in spark.sql("SET").collect())


def set_on_classic(spark: SparkSession) -> list[str]:
    """Return the same, sorted, of a classic session in one call to its JVM: `SET` is a query."""
    session: Any = spark._jsparkSession
    return sorted(re.findall(r"[(\s](spark\.[\w.]+) -> ", str(session.conf().getAll().toString())))
