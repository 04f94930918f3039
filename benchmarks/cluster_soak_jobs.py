"""The batch jobs of `cluster_soak`, one after the other; every second one is first killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.cluster_soak_rows import check_rows, points

ROWS = 20_000
PATHS = ("direct", "spark")
_SETTINGS = {
    "spark.cores.max": 2,
    "spark.executor.cores": 1,
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
}


class Jobs:
    """Runs jobs until the file `stop` is there. Each one overwrites the output of the last one."""

    def __init__(
        self, place: Path, environment: dict[str, str], url: str, chance: random.Random
    ) -> None:
        self.place, self.environment, self.url, self.chance = place, environment, url, chance
        self.account = {"jobs": 0, "killed drivers": 0, "rows of jobs": 0}
        self.seconds = 0.0  # of the last job that was not killed
        points(place / "input", ROWS, files=8)

    def run(self) -> None:
        """Run jobs; the first one shows how long a job takes.

        Raises:
            RuntimeError: A job failed.
            AssertionError: A row is missing, doubled or wrong.
        """
        while not (self.place / "stop").exists():
            number = self.account["jobs"]
            if number % 2:
                self._kill_one(number)
            self._complete_one(number)
            self.account["jobs"] += 1

    def _kill_one(self, number: int) -> None:
        """Start a job, and kill its driver with the JVM at a random moment."""
        job = self._start(number)
        try:
            job.wait(self.chance.uniform(0.1, 1.0) * self.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
            self.account["killed drivers"] += 1

    def _complete_one(self, number: int) -> None:
        begin = time.monotonic()
        code = self._start(number).wait()
        self.seconds = time.monotonic() - begin
        if code:
            raise RuntimeError(f"job {number} ended with {code}:\n{self._log.read_text()[-3000:]}")
        report = json.loads((self.place / "report.json").read_text())
        scored = pq.read_table(self.place / "out")
        check_rows(scored, ROWS, report["model"]["version"])
        self.account["rows of jobs"] += scored.num_rows

    @property
    def _log(self) -> Path:
        return self.place / "job.log"

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        flags = {
            "--master": self.url,
            "--model": self.place / "model",
            "--input": self.place / "input",
            "--output": self.place / "out",
            "--report": self.place / "report.json",
            "--mode": "overwrite",
            "--path": PATHS[number // 2 % 2],
            "--keep": "id",
        }
        words = [str(word) for pair in flags.items() for word in pair]
        words += [word for pair in _SETTINGS.items() for word in ("--conf", "{}={}".format(*pair))]
        with self._log.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tfspark", "score", *words],
                env=self.environment,
                cwd=self.place,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
