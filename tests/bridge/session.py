"""A Spark session in a separate process, which runs one program after another.

A process with a session takes about ten seconds to start, so many tests share one. Its Python
workers come from the daemon of tfspark: Spark ends the worker of a failed task, and without the
daemon each new worker loads TensorFlow's library again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

SERVE = """
import json, os, sys, traceback
from pyspark.sql import SparkSession
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # the log gets what programs and the JVM print
spark = SparkSession.builder.config(map=json.loads(sys.argv[1])).getOrCreate()
for line in sys.stdin:
    told = {}
    try:
        exec(json.loads(line), {"spark": spark, "answer": lambda value: told.update(answer=value)})
    except Exception:  # `ask` raises it in the test; the next program still has a session
        told["raised"] = traceback.format_exc()
    print(json.dumps(told), file=answers, flush=True)
spark.stop()
"""
DEFAULTS = {
    "spark.ui.enabled": "false",
    "spark.python.daemon.module": "tfspark.spark.daemon",
}


class Session:
    """A running session; as a context manager, it ends the process.

    Args:
        folder: Working directory of the process; it also gets the log.
        environment: Variables of the process.
        settings: Settings of Spark, with `spark.master`, or `spark.remote` for a Connect server.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        self._log = folder / "session.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", SERVE, json.dumps({**DEFAULTS, **settings})],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, program: str) -> Any:
        """Run a program with `spark`, and return the value passed to `answer`.

        A program that raises an error fails the test, and the session goes on.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(program) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        told = json.loads(line)
        assert "raised" not in told, told["raised"]
        return told["answer"]

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input ends it
