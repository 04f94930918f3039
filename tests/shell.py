"""The environment of programs that tests start: no Spark of the caller, JVMs for short runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Variables of a caller's shell that would change Spark, its Python, or what is imported.
DISTURBING = ("SPARK_", "PYSPARK_", "MASTER", "PYTHONPATH")

# `tools/class_archive.py` writes it; a JVM that finds none, or one of another Spark, starts slower.
_ARCHIVE = Path(sys.prefix, "spark-classes.jsa")

# JVMs of tests end before optimised code pays: one level of compilation and the simplest collector
# take a third off their CPU seconds, and the archive of classes another third off their start.
SHORT_RUN = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "
    f'-XX:SharedArchiveFile="{_ARCHIVE}" -Xlog:cds=off -Xlog:class+path=off'
)

# The same for executors, which the environment does not reach.
SHORT_EXECUTORS = ("--conf", "spark.executor.extraJavaOptions=" + SHORT_RUN)


def fresh_environment(**more: str) -> dict[str, str]:
    """Return the variables of a shell in which only this Python is active, with some more."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DISTURBING)}
    short = {"SPARK_SUBMIT_OPTS": SHORT_RUN, "SPARK_DAEMON_JAVA_OPTS": SHORT_RUN}
    return {**kept, **short, "VIRTUAL_ENV": sys.prefix, **more}
