"""The Spark session of a job: what spark-submit says, and the right Python for its workers.

In comes a name, out goes a session. Driver; used by `jobs/` and tests, never forced on a user who
brings his own session.
"""

from __future__ import annotations

import os
import sys

from pyspark.sql import SparkSession


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
        `spark.log.level` wins.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name)
    if master is not None:
        builder = builder.master(master)
    if hive:
        builder = builder.enableHiveSupport()
    spark = builder.getOrCreate()
    if spark.conf.get("spark.log.level", None) is None:
        spark.sparkContext.setLogLevel("WARN")
    return spark
