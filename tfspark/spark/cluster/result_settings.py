"""Finds the settings of a session that change what Spark reads, computes or writes. Driver.

Two runs of a job with other settings may give other values, for example of timestamps in text, so
their files must not be mixed in one output. It needs a classic session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_ZONE = "spark.sql.session.timeZone"
# Each has a value in every session, also if nobody has set it.
_ALWAYS = (
    "spark.sql.ansi.enabled",
    "spark.sql.caseSensitive",
    "spark.sql.storeAssignmentPolicy",
)
# Settings of formats, and of older behaviour, that somebody has set.
_SET = re.compile(r"spark\.sql\.(?:legacy|parquet|orc|avro|csv|json)\.[^ ,()]+ -> [^,)]*")


def result_settings(spark: SparkSession) -> list[str]:
    """Return the settings and versions that can change values.

    Two runs with equal lists give equal values. The time zone of the JVM counts too, because the
    formats of Hive use it.
    """
    jvm: Any = spark._jvm
    # One call; a call for each setting would take longer than the digest.
    found = _SET.findall(str(spark._jsparkSession.conf().getAll().toString()))
    zones = [str(spark.conf.get(_ZONE)), str(jvm.java.util.TimeZone.getDefault().getID())]
    always = [f"{name} -> {spark.conf.get(name)}" for name in _ALWAYS]
    equal = [_normalized(jvm, zone) for zone in zones]
    return [*always, *sorted(found), *equal, f"spark {spark.version}"]


def _normalized(jvm: Any, zone: str) -> str:
    """Return one name for zones such as UTC and Etc/UTC, which have the same fixed offset."""
    try:
        return str(jvm.java.time.ZoneId.of(zone).normalized().toString())
    except (PySparkException, Py4JJavaError):  # Spark knows more names, such as GMT+8:0
        return zone
