"""The Spark session of a job: what spark-submit says, and the right Python for its workers.

In comes a name, out goes a session. Driver; used by `jobs/` and tests, never forced on a user who
brings his own session.
"""

from __future__ import annotations

import os
import sys

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

# What Spark masks in the settings and plans that it shows and writes to its event log. Its defaults
# know settings and options by their names, and no URI. The command line of a job is a setting too
# (`sun.java.command`).
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
        `spark.log.level` wins. Spark masks the secrets of URIs in the text of its plans and in
        its event log; the user's own `spark.redaction.regex` and the like win.
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
