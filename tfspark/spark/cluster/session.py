"""Creates the Spark session of a job, with the right Python for its workers. Driver.

Only `jobs/`, the doctor and tests use it. The library works with any session.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

# Patterns that Spark masks in its UI and event log. By default Spark masks settings and options by
# their names, but not secrets in URIs. The command line is a setting too (`sun.java.command`).
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

_PYTHON = "spark.pyspark.python"
# With this setting, Python reports why a worker crashed, and Spark passes it to the driver.
_CRASHES = {"spark.python.worker.faulthandler.enabled": "true"}


def session(
    name: str,
    *,
    master: str | None = None,
    hive: bool = False,
    settings: Mapping[str, str] | None = None,
) -> SparkSession:
    """Return a session.

    Args:
        name: Application name.
        master: Spark master; by default the setting of spark-submit, otherwise `local[*]`.
        settings: Settings of Spark.
        hive: Use a Hive metastore: the one in `hive-site.xml`, otherwise an embedded one.

    Returns:
        The session. Its workers use the Python of `spark.pyspark.python`, otherwise that of
        PYSPARK_PYTHON, otherwise this Python. Outside spark-submit, Spark itself ignores the
        setting, and by default it uses the `python3` on PATH, which may have no NumPy or
        TensorFlow. Spark's log level is WARN, because INFO prints hundreds of lines;
        `spark.log.level` overrides it. Spark masks secrets of URIs in settings and in the text of
        plans, but not in the nodes of plans; `spark.redaction.regex` and
        `spark.redaction.string.regex` of the user override this.
    """
    builder = SparkSession.builder.appName(name)
    SparkContext._ensure_initialized()  # to read the settings of spark-submit
    submitted = SparkConf()
    given = (settings or {}).get(_PYTHON) or submitted.get(_PYTHON, None)
    os.environ["PYSPARK_PYTHON"] = python_of_workers(given)
    for key, value in {**REDACTION, **_CRASHES}.items():
        if not submitted.contains(key):
            builder = builder.config(key, value)
    for key, value in (settings or {}).items():
        builder = builder.config(key, value)
    if master is not None:
        builder = builder.master(master)
    if hive:
        builder = builder.enableHiveSupport()
    spark = builder.getOrCreate()
    if spark.conf.get("spark.log.level", None) is None:
        spark.sparkContext.setLogLevel("WARN")
    return spark


def python_of_workers(given: str | None) -> str:
    """Return the command that starts workers: the setting comes first, as in spark-submit."""
    return given or os.environ.get("PYSPARK_PYTHON", sys.executable)


def connect_session(url: str) -> SparkSession:
    """Return a session of a Spark Connect server, such as `sc://host`."""
    return SparkSession.builder.remote(url).getOrCreate()
