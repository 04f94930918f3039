"""The Spark session of a job: what spark-submit says, and the right Python for its workers.

Driver; used by `jobs/` and tests. The library works with any session that its caller gives.
"""

from __future__ import annotations

import os
import sys

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

# What Spark masks in its UI and event log. By default it masks settings and options by their names,
# but no secrets in URIs. The command line of a job is also a setting (`sun.java.command`).
_USER = r"(?<=://)[^\s/?#@:'\"<>]{1,256}:[^\s@'\"<>]{1,512}@"
_IN_QUERY = (
    r"(?<=[?&;])(?i:sig|signature|key|token|password|secret|accountkey|access_token"
    r"|x-amz-(?:signature|credential|security-token))=[^\s&;'\"]+"
)
_IN_URI = f"{_USER}|{_IN_QUERY}"
REDACTION = {
    "spark.redaction.regex": f"(?i)secret|password|token|access[.]?key|api[.]?key|{_IN_URI}",
    "spark.redaction.string.regex": _IN_URI,
}


def session(name: str, *, master: str | None = None, hive: bool = False) -> SparkSession:
    """Return a session.

    Args:
        name: Application name.
        master: Spark master; by default what spark-submit set, else `local[*]`.
        hive: Use a Hive metastore: the one that `hive-site.xml` names, else an embedded one.

    Returns:
        The session, with the workers of a local master on this very Python: otherwise they take
        `python3` from the path, which need not have NumPy, let alone TensorFlow. Spark logs from
        WARN on: spark-submit logs at INFO, hundreds of lines around the one that a user looks for;
        `spark.log.level` wins. Spark masks secrets of URIs in settings and in the text of plans,
        but not in the nodes of plans; a user's own `spark.redaction.regex` and
        `spark.redaction.string.regex` win.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name)
    SparkContext._ensure_initialized()  # so that the settings of spark-submit are known
    submitted = SparkConf()
    for key, pattern in REDACTION.items():
        if not submitted.contains(key):
            builder = builder.config(key, pattern)
    if master is not None:
        builder = builder.master(master)
    if hive:
        builder = builder.enableHiveSupport()
    spark = builder.getOrCreate()
    if spark.conf.get("spark.log.level", None) is None:
        spark.sparkContext.setLogLevel("WARN")
    return spark
