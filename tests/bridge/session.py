"""A Spark session with the jar in a separate process, which runs one program after another.

A process with a session takes about ten seconds to start, so the tests of a file share one.
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
import json, os, sys
from pyspark.sql import SparkSession
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # the log gets what programs and the JVM print
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
for name, value in json.loads(sys.argv[1]).items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
def answer(value):
    print(json.dumps(value), file=answers, flush=True)
for line in sys.stdin:
    exec(json.loads(line), {"spark": spark, "answer": answer})
spark.stop()
"""


class Session:
    """A running session; as a context manager, it ends the process."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        self._log = folder / "session.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-c", SERVE, json.dumps(dict(settings))],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, program: str) -> Any:
        """Run a program with `spark`, and return the value passed to `answer`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(program) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._log.read_text()
        return json.loads(line)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input ends it
