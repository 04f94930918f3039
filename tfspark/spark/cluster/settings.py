"""Finds the settings of a session that the user has set. Driver.

For a single setting, Spark returns the default if it is not set, so only the list of all settings
shows the difference. `spark.conf.getAll` returns the list in Spark 4.0 and later; `SET` does in
every version.
"""

from __future__ import annotations

import re
from typing import Any

from pyspark.sql import SparkSession

_CRYPTO = "parquet.crypto.factory.class"


def set_by_user(spark: SparkSession) -> frozenset[str]:
    """Return the names of all settings with an explicit value."""
    return frozenset(row["key"] for row in spark.sql("SET").collect())


def set_on_classic(spark: SparkSession) -> list[str]:
    """Return these names for a classic session, sorted.

    This is one call to its JVM, while `SET` is a query.
    """
    session: Any = spark._jsparkSession
    return sorted(re.findall(r"[(\s](spark\.[\w.]+) -> ", str(session.conf().getAll().toString())))


def decrypts(spark: SparkSession) -> bool:
    """Whether a classic session reads and writes encrypted Parquet files."""
    session: Any = spark._jsparkSession
    return session.sessionState().newHadoopConf().get(_CRYPTO) is not None
