"""Starts the JVM of a classic session with its output in a file. Driver.

By default the JVM shares the terminal of the program, and so do its Python workers. Spark's log,
the messages of Ivy, and warnings of Java and TensorFlow then appear between the program's lines.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext, java_gateway

from tfspark.errors import EngineError, explain

_NO_JAVA = (
    "Spark needs Java 17 or later: install it, or set JAVA_HOME; if Java is there, read the log."
)
_REFUSED = "correct the master and the settings of Spark, or read the log."
_SHOWN_LINES = 3
# The first line of an error of Java; the lines of its trace follow.
_THROWN = 'Exception in thread "main" '


def has_jvm() -> bool:
    """Whether this process has a JVM: its own, or that of spark-submit."""
    return SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ


def start_jvm(settings: Mapping[str, str], log: Path | None) -> None:
    """Start the JVM; the session that is created next runs in it.

    Args:
        settings: Settings of Spark. Some, such as the memory of the driver, must be known now.
        log: The file for the output of the JVM; `None` for the terminal.

    Raises:
        EngineError: When the JVM ends at once, for example without Java.
    """
    launch: Any = java_gateway.launch_gateway  # the function has no types
    # With loadDefaults=False, the values stay in Python, which has no JVM yet.
    conf = SparkConf(loadDefaults=False).setAll([*settings.items()])
    try:
        if log is None:
            gateway = launch(conf)
        else:
            with log.open("ab") as output:
                gateway = launch(conf, {"stdout": output, "stderr": output})
    except Exception as error:
        lines = [] if log is None else log.read_text("utf-8", "replace").strip().splitlines()
        raise _not_started(lines, error) from error
    SparkContext._ensure_initialized(gateway=gateway)


def _not_started(lines: Sequence[str], error: Exception) -> EngineError:
    """Return the error for a log, from the JVM or from the script that starts it."""
    problem = "The JVM of Spark did not start."
    home = os.environ.get("SPARK_HOME", "")
    if isinstance(error, FileNotFoundError) and home:
        hint = "set SPARK_HOME to the folder of a Spark installation, or unset it."
        return EngineError(explain(problem, found=f"no Spark in SPARK_HOME={home}", hint=hint))
    thrown = [line.removeprefix(_THROWN) for line in lines if line.startswith(_THROWN)]
    if thrown:  # Java ran
        return EngineError(explain(problem, found=thrown[-1], hint=_REFUSED))
    found = "\n".join(lines[-_SHOWN_LINES:]) or str(error)
    return EngineError(explain(problem, found=found, hint=_NO_JAVA))
