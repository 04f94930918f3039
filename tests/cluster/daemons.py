"""The processes of a standalone cluster, started and ended by tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep

import pyspark

SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"
DEPLOY = "org.apache.spark.deploy"
PATIENCE = 120.0
# A job that starts with the first executor may end before the second one has started.
ALL_EXECUTORS = (
    *("--conf", "spark.cores.max=2"),  # the scheduler waits for a part of this number
    *("--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0"),
    *("--conf", "spark.scheduler.maxRegisteredResourcesWaitingTime=120s"),
)


class Daemon:
    """One process of a cluster; its log shows its progress."""

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str],
        name: str,
        *arguments: object,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        """Start it; `within` is a prefix command, for example to run in a namespace."""
        self.log = log
        command = [*within, SPARK_CLASS, f"{DEPLOY}.{name}", "--host", host, "--webui-port", "0"]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def wait_for(self, pattern: str) -> str:
        """Wait for a pattern in the log; return the match of its first group."""
        end = monotonic() + PATIENCE
        while monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text()):
                return found.group(1)
            sleep(0.05)
        raise AssertionError(f"no {pattern!r} in\n{self.log.read_text()}")

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
