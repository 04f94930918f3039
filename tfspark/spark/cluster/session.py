"""Creates the Spark session of a job, with the right Python for its workers. Driver.

Only the commands and the tests use it. The library works with any session.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.foreign_text import redacted

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
_API_MODE = "spark.api.mode"
_CONNECT = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED")
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
        hive: Use a Hive metastore: the one in `hive-site.xml`, otherwise an embedded one.
        settings: Settings of Spark.

    Returns:
        The session. Its workers use the Python of `spark.pyspark.python`, otherwise that of
        PYSPARK_PYTHON, otherwise this Python. Outside spark-submit, Spark itself ignores the
        setting, and by default it uses the `python3` on PATH, which may have no NumPy or
        TensorFlow. Spark's log level is WARN, because INFO prints hundreds of lines;
        `spark.log.level` overrides it. Spark masks secrets of URIs in settings and in the text of
        plans, but not in the nodes of plans; `spark.redaction.regex` and
        `spark.redaction.string.regex` of the user override this.

    Raises:
        UsageError: When the settings or the environment ask for Spark Connect.
    """
    refuse_connect(settings or {})
    builder = SparkSession.builder.appName(name)
    SparkContext._ensure_initialized()  # to read the settings of spark-submit
    submitted = SparkConf()
    given = (settings or {}).get(_PYTHON) or submitted.get(_PYTHON, None)
    for key, value in {**REDACTION, **_CRASHES}.items():
        if not submitted.contains(key):
            builder = builder.config(key, value)
    for key, value in (settings or {}).items():
        builder = builder.config(key, value)
    builder = builder.config(_API_MODE, "classic")  # some distributions have another default
    if master is not None:
        builder = builder.master(master)
    if hive:
        builder = builder.enableHiveSupport()
    # Spark copies the variable into the new context. A later job may have another Python.
    with _variable("PYSPARK_PYTHON", python_of_workers(given)):
        spark = builder.getOrCreate()
    if spark.conf.get("spark.log.level", None) is None:
        spark.sparkContext.setLogLevel("WARN")
    return spark


def refuse_connect(
    settings: Mapping[str, str],
    hint: str = "remove this setting; on Spark Connect, score with tfspark.predict.",
) -> None:
    """Refuse settings and variables with which Spark's builder returns a session of Connect.

    Jobs list files, commit and count rows through objects of the driver's JVM. A session of Connect
    has no such objects.

    Raises:
        UsageError: When the settings or the environment ask for Spark Connect.
    """
    # For these names Spark asks only whether they are set, even to an empty value.
    found = [f"{name}={os.environ[name]}" for name in _CONNECT if name in os.environ]
    if "spark.remote" in settings:
        found.append(f"--conf spark.remote={settings['spark.remote']}")
    is_given = _API_MODE in settings
    mode = settings[_API_MODE] if is_given else os.environ.get("SPARK_API_MODE", "")
    if mode.lower() == "connect":
        found.append(f"--conf {_API_MODE}={mode}" if is_given else f"SPARK_API_MODE={mode}")
    if found:
        problem = "This command needs a classic session of Spark."
        raise UsageError(explain(problem, found=redacted(", ".join(found)), hint=hint))


def python_of_workers(given: str | None) -> str:
    """Return the command that starts workers: the setting comes first, as in spark-submit."""
    return given or os.environ.get("PYSPARK_PYTHON", sys.executable)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of the environment until the block ends."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def connect_session(url: str) -> SparkSession:
    """Return a session of a Spark Connect server, such as `sc://host`."""
    return SparkSession.builder.remote(url).getOrCreate()
