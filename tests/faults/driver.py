"""The driver of a job as a process of its own with its own JVM: `driver.py BEFORE flags…`.

It prints a line when it has planned its output, and waits for the end of its input. If an operation
of the commit matches the pattern BEFORE, it kills itself before it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
OF_A_SHELL = ("SPARK_", "PYSPARK_", "MASTER", "PYTHONPATH")
# A session that starts quickly, and whose tasks do not wait for TCP.
QUICK = (
    "--conf spark.ui.enabled=false --conf spark.python.unix.domain.socket.enabled=true "
    "--conf spark.sql.shuffle.partitions=2"
)
SUBMIT = f"--master local[2] {QUICK} pyspark-shell"


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a shell without Spark, and additional ones."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OF_A_SHELL)}
    options = os.environ.get("SPARK_SUBMIT_OPTS", "")
    return {**kept, "PYTHONPATH": str(ROOT), "SPARK_SUBMIT_OPTS": options, **variables}


@dataclass
class Driver:
    """A driver that was started.

    Attributes:
        process: Leads a process group that its JVM is in, too.
        log: Its output.
    """

    process: subprocess.Popen[str]
    log: Path

    @classmethod
    def start(
        cls, before: str, log: Path, flags: Sequence[object], variables: dict[str, str]
    ) -> Driver:
        """Start a driver that waits before its first operation."""
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.driver", before, *map(str, flags)],
                env=environment(PYSPARK_SUBMIT_ARGS=SUBMIT, SPARK_LOCAL_IP="127.0.0.1") | variables,
                cwd=log.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                start_new_session=True,
            )
        return cls(process, log)

    def wait_until_planned(self) -> None:
        """Wait until the driver waits."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "planned\n", self.log.read_text()

    def go(self) -> None:
        """Let the driver continue."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> int:
        """Wait for the end; return the exit code, or the negative number of the signal."""
        assert self.process.stdout is not None
        self.process.stdout.read()
        return self.process.wait()

    def kill(self) -> None:
        """Kill the driver and its JVM, unless they have ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def main(before: str, *flags: str) -> int:
    from jobs import batch_score
    from tests.faults.hadoop_commits import KillingHadoopStore
    from tests.faults.stopping_store import KillingStore
    from tfspark.scoring.output import folder
    from tfspark.spark.cluster.files import local_path

    def store_of(spark: Any, path: str) -> tuple[Any, str]:
        print("planned", flush=True)
        sys.stdin.read()
        if local_path(path) is not None:
            return KillingStore(before=before), path.removeprefix("file:")
        store = KillingHadoopStore(spark, path)
        store.before = before
        return store, path

    folder.store_of = store_of  # type: ignore[assignment]
    return batch_score.main(flags)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
