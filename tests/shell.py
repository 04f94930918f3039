"""The environment of programs that tests start: without the caller's Spark, with fast JVMs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.class_archive import SHORT_RUN

ROOT = Path(__file__).parents[1]

# Variables of a caller's shell that would change Spark, its Python, or the imports.
DISTURBING = ("SPARK_", "PYSPARK_", "MASTER", "PYTHONPATH")

# The same for executors, which do not get the environment.
SHORT_EXECUTORS = ("--conf", "spark.executor.extraJavaOptions=" + SHORT_RUN)


def fresh_environment(**more: str) -> dict[str, str]:
    """Return the variables of a shell in which only this Python is active, and additional ones."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(DISTURBING)}
    short = {"SPARK_SUBMIT_OPTS": SHORT_RUN, "SPARK_DAEMON_JAVA_OPTS": SHORT_RUN}
    return {**kept, **short, "VIRTUAL_ENV": sys.prefix, **more}


def run_python(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder; it can import the repository, and caches its models there."""
    own = {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, **own, "TFSPARK_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
