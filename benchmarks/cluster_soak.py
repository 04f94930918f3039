"""Runs jobs, SQL and a stream on a cluster with model swaps and kills; checks rows and memory.

    make soak MINUTES=30

Starts a standalone master with two workers on this machine. One driver scores a stream and runs SQL
queries the whole time (`cluster_soak_driver`). Batch jobs run beside it, one after the other, in
drivers of their own. Meanwhile, new versions of the model are published, Python workers are killed,
and every second job is killed with its JVM and run again. All rows are compared with the formula of
the model. The memory of the long driver, its executors and their Python workers is sampled.

Prints a table in Markdown, and writes it as JSON to `results/cluster_soak.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.client import ROOT
from benchmarks.cluster_soak_jobs import Jobs
from benchmarks.cluster_soak_rows import check_stream, points, publish_rows, write_models
from benchmarks.machine import machine
from benchmarks.process_memory import Application
from tests.cluster.daemons import Daemon
from tests.shell import fresh_environment

RESULT = ROOT / "benchmarks" / "results" / "cluster_soak.json"
# Seconds from one event to the next.
ROWS_ARRIVE, KILL_WORKER, SAMPLE, HEAP = 2.0, 20.0, 5.0, 60.0
# The JVMs load classes and fill caches first, so these seconds are not compared.
WARM_UP = 300.0

# The driver keeps the last jobs and queries for its UI; its memory grows until it has so many.
_KEPT = {
    "spark.ui.retainedJobs": 50,
    "spark.ui.retainedStages": 50,
    "spark.ui.retainedTasks": 500,
    "spark.sql.ui.retainedExecutions": 50,
}
SETTINGS = {
    "spark.cores.max": 4,
    "spark.executor.cores": 2,
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": 2,
    "spark.python.daemon.module": "tfspark.spark.daemon",
    **_KEPT,
}


@contextmanager
def cluster(place: Path, environment: dict[str, str]) -> Iterator[str]:
    """Start a master and two workers; yield the URL."""
    with ExitStack() as stack:
        master = Daemon(place / "master.log", environment, "master.Master", "--port", 0)
        stack.enter_context(master)
        url = f"spark://127.0.0.1:{master.wait_for(r'sparkMaster. on port ([0-9]+)')}"
        for number in range(2):
            sizes = ("--port", 0, "--cores", 6, "--memory", "4g")
            folder = ("--work-dir", place / f"work-{number}", url)
            log = place / f"worker-{number}.log"
            worker = Daemon(log, environment, "worker.Worker", *sizes, *folder)
            stack.enter_context(worker).wait_for("(Successfully registered with master)")
        yield url


@contextmanager
def long_driver(
    place: Path, environment: dict[str, str], url: str
) -> Iterator[subprocess.Popen[str]]:
    """Start the driver of the stream and the queries; kill it if it is still there at the end."""
    settings = " ".join(f"--conf {name}={value}" for name, value in SETTINGS.items())
    with (place / "driver.log").open("w") as log:
        driver = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cluster_soak_driver", str(place)],
            env={**environment, "PYSPARK_SUBMIT_ARGS": f"--master {url} {settings} pyspark-shell"},
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield driver
        finally:
            if driver.poll() is None:
                os.killpg(driver.pid, signal.SIGKILL)
                driver.wait()


class Soak:
    """One run: publishes, kills and samples until the time is over."""

    def __init__(self, place: Path, minutes: float, versions: int, seed: int) -> None:
        self.place, self.seconds, self.versions = place, minutes * 60, versions
        self.chance = random.Random(seed)
        self.samples: list[dict[str, float]] = []
        self.heaps: list[dict[str, float]] = []
        self.kills = 0
        self.arrived = 0

    def run(self, driver: subprocess.Popen[str], jobs: Future[None]) -> None:
        """Wait until the time is over; a driver or a job that ends with an error ends the run."""
        app = Application(driver.pid, self._app_id(driver))
        begin, due = time.monotonic(), [0.0] * 5
        swap = self.seconds / self.versions
        waits = (ROWS_ARRIVE, KILL_WORKER, SAMPLE, swap, HEAP)
        actions = (self._rows, self._kill, self._sample, self._swap, self._heap)
        while (now := time.monotonic() - begin) < self.seconds:
            for at, wait in enumerate(waits):
                if now >= due[at]:
                    actions[at](app)
                    due[at] = now + wait
            if driver.poll() is not None:
                raise RuntimeError(f"the driver ended; see {self.place}/driver.log")
            if jobs.done():
                jobs.result()
            time.sleep(0.2)
        self._heap(app)

    def _app_id(self, driver: subprocess.Popen[str]) -> str:
        """Return the id of the application, as soon as the first micro-batch is written."""
        publish_rows(self.place, self.arrived)
        self.arrived += 1
        while not list((self.place / "scores").glob("*.parquet")):
            if driver.poll() is not None:
                raise RuntimeError(f"the driver did not start; see {self.place}/driver.log")
            time.sleep(0.2)
        return (self.place / "app").read_text()

    def _rows(self, _: Application) -> None:
        publish_rows(self.place, self.arrived)
        self.arrived += 1

    def _kill(self, app: Application) -> None:
        if workers := app.workers():
            os.kill(self.chance.choice(workers), signal.SIGKILL)
            self.kills += 1

    def _sample(self, app: Application) -> None:
        self.samples.append(app.megabytes())

    def _heap(self, app: Application) -> None:
        self.heaps.append(app.live_heap())

    def _swap(self, _: Application) -> None:
        there = len(list((self.place / "model").iterdir()))
        prepared = self.place / "prepared" / str(there + 1)
        if prepared.exists():
            prepared.rename(self.place / "model" / prepared.name)


def thirds(samples: list[dict[str, float]], without: float = 0) -> dict[str, tuple[float, float]]:
    """Return the means of the first and the last third of some samples, by their names.

    Args:
        samples: Taken at regular intervals.
        without: The share of the samples that is left out at the beginning.
    """
    samples = samples[int(len(samples) * without) :]
    size = max(len(samples) // 3, 1)

    def mean(some: list[dict[str, float]], name: str) -> float:
        return sum(one[name] for one in some) / len(some)

    return {name: (mean(samples[:size], name), mean(samples[-size:], name)) for name in samples[0]}


def table(what: str, rows: dict[str, tuple[float, float]]) -> str:
    """Return the means of both thirds as a table."""
    lines = [f"| {what}, MB | first third | last third | ratio |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {first:.0f} | {last:.0f} | {last / max(first, 1e-9):.2f} |"
        for name, (first, last) in rows.items()
    ]
    return "\n".join(lines)


def soak(place: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Run; return the counts and the memory.

    Raises:
        AssertionError: A row is missing, doubled or wrong.
    """
    versions = max(4, round(minutes))
    write_models(place, versions)
    points(place / "table", 20_000, files=4)
    (place / "arriving").mkdir()
    environment = fresh_environment(
        PYTHONPATH=str(ROOT),
        PYSPARK_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_LOCAL_DIRS=str(place / "local"),
        SPARK_SUBMIT_OPTS="",
        TFSPARK_CACHE_DIR=str(place / "cache"),
    )
    run = Soak(place, minutes, versions, seed)
    with (
        cluster(place, environment) as url,
        ThreadPoolExecutor(1) as pool,
        long_driver(place, environment, url) as driver,
    ):
        jobs = Jobs(place, environment, url, random.Random(seed))
        running = pool.submit(jobs.run)
        try:
            run.run(driver, running)
        finally:
            (place / "stop").touch()
        running.result()
        said, _ = driver.communicate(timeout=300)
    account = json.loads(said.splitlines()[-1])  # a JVM may print warnings before
    assert account["wrong answers"] == 0, account
    account |= check_stream(place, run.arrived)
    account |= {"worker kills": run.kills, **jobs.account}
    warm_up = min(WARM_UP / run.seconds, 1 / 4)
    return {
        "minutes": minutes,
        "counts": account,
        "warm_up_minutes": warm_up * minutes,
        "pss_mb": thirds(run.samples, warm_up),
        "live_heap_mb": thirds(run.heaps, warm_up),
        "live_heap_by_minute": run.heaps,
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Jobs, SQL and a stream with swaps and kills.")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tfspark-soak-") as folder:
        found = soak(Path(folder), chosen.minutes, chosen.seed)
    RESULT.write_text(json.dumps({"machine": machine(), **found}, indent=2) + "\n")
    print(f"{chosen.minutes:g} minutes, all rows exact: ", end="")
    print(", ".join(f"{count:,} {name}" for name, count in found["counts"].items()))
    print(f"\nWithout the first {found['warm_up_minutes']:.1f} minutes:")
    print(f"\n{table('PSS', found['pss_mb'])}\n\n{table('live heap', found['live_heap_mb'])}")


if __name__ == "__main__":
    main()
