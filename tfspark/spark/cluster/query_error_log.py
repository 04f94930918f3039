"""Keeps Spark's own log of query errors off the terminal of a job. Driver.

PySpark 4.0 and later write each error of a query to stderr as one line of JSON with the whole trace
of Java. A job prints the message of the error itself, which is hard to find next to such a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


@contextmanager
def without_query_error_log() -> Iterator[None]:
    """Turn these loggers off in a `with` block; programs that call a job keep their logging."""
    try:
        from pyspark.logger import PySparkLogger
    except ImportError:  # Spark 3.5 does not log these errors
        yield
        return
    # `logging.getLogger` would create loggers of another class, with which PySpark fails.
    before = {one: one.disabled for one in map(PySparkLogger.getLogger, _LOGGERS)}
    for logger in before:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in before.items():
            logger.disabled = disabled
