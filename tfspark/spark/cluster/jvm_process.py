"""Starts the JVM of a classic session with its output in a file. Driver.

By default the JVM shares the terminal of the program, and so do its Python workers. Spark's log,
the messages of Ivy, and warnings of Java and TensorFlow then appear between the program's lines.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark import SparkConf, SparkContext, java_gateway

from tfspark.errors import EngineError, explain

_HINT = (
    "Spark needs Java 17 or later: install it, or set JAVA_HOME; if Java is there, read the log."
)
_SHOWN_LINES = 3


def is_here() -> bool:
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
        problem, found = "The JVM of Spark did not start.", _last_lines(log) or str(error)
        raise EngineError(explain(problem, found=found, hint=_HINT)) from error
    SparkContext._ensure_initialized(gateway=gateway)


def _last_lines(log: Path | None) -> str:
    """Return the last lines of the log, from the JVM or from the script that starts it."""
    text = "" if log is None else log.read_text("utf-8", "replace").strip()
    return "\n".join(text.splitlines()[-_SHOWN_LINES:])
