"""Runs a job in the session that spark-submit configured. Driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tfspark.scoring.run_job import run_job, stop

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def run_submitted(
    name: str,
    job: Callable[[SparkSession], str],
    *,
    before: Callable[[], None],
    hive: bool,
) -> int:
    """Open a session, run a job in it, stop it; return the exit code.

    Args:
        name: The name of the application.
        job: Returns the path of its report.
        before: Checks that need no Spark; runs before a JVM is started.
        hive: Whether the session has a Hive metastore.
    """

    def submitted() -> str:
        from tfspark.spark.cluster.query_error_log import without_query_error_log
        from tfspark.spark.cluster.session import session

        before()
        spark = session(name, hive=hive)
        try:
            with without_query_error_log():
                return job(spark)
        finally:
            stop(spark)

    return run_job(submitted)
