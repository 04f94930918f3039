"""Finds the settings of a session that change what Spark reads, computes or writes. Driver.

Two runs of a job with other settings may give other values, for example of timestamps in text, so
their files must not be mixed in one output. It needs a classic session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Each has a value in every session, also if nobody has set it.
_ALWAYS = (
    "spark.sql.session.timeZone",
    "spark.sql.ansi.enabled",
    "spark.sql.caseSensitive",
    "spark.sql.storeAssignmentPolicy",
)
# Settings of formats, and of older behaviour, that somebody has set.
_SET = re.compile(r"spark\.sql\.(?:legacy|parquet|orc|avro|csv|json)\.[^ ,()]+ -> [^,)]*")


def result_settings(spark: SparkSession) -> list[str]:
    """Return the settings and their values, and the versions that compute; equal lists are equal.

    The time zone of the JVM counts too, because the formats of Hive use it.
    """
    jvm: Any = spark._jvm
    # One call; a call for each setting would take longer than the digest.
    found = _SET.findall(str(spark._jsparkSession.conf().getAll().toString()))
    zone = str(jvm.java.util.TimeZone.getDefault().getID())
    always = [f"{name} -> {spark.conf.get(name)}" for name in _ALWAYS]
    return [*always, *sorted(found), f"zone {zone}", f"spark {spark.version}"]
