"""Measures the cost of sending a large model to the executors, by size and by method.

    python -m benchmarks.distribution --mb 10 --mb 500 --how broadcast --how archive --how path

Starts a cluster of several executors on this machine (`local-cluster`), each with a worker that
does not have the model yet. Prints one JSON line for each method and size: seconds of the driver,
seconds of the first job over all executors (Spark fetches an archive before a task begins), the
parts of it for finding and for loading the files, the memory of the driver, how many copies of the
model left the driver's JVM during that job, and what `torrent` predicts. All executors share one
machine here, so `TFSPARK_CACHE_DIR` is one folder and one of them unpacks.

An executor prefers copies on its own host. By default driver and executors have one host name, so
that all copies are equal, as with one executor per host. With `--one-host` only the executors have
the same name. The heaps are so large that Spark moves no piece to a disk, from which executors of
the same name would read it without the network; `--heap` shows the memory with other heaps.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from benchmarks import torrent
from benchmarks.client import ROOT
from benchmarks.sent_bytes import connections, sent_since
from benchmarks.spark_sides import open_session
from tfspark import package
from tfspark.engine import EngineOptions
from tfspark.handle import ModelHandle
from tfspark.spark.cluster.distribution import Distribute, distribute

HELD = 2.0
WAYS: tuple[Distribute, ...] = ("broadcast", "archive", "path")

# TensorFlow writes the model in another process; the weights cannot be compressed.
WRITE = """
import sys
import tensorflow as tf
module = tf.Module()
module.ballast = [tf.Variable(tf.random.normal((250_000,))) for _ in range(int(sys.argv[2]))]
spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
module.serve = tf.function(
    lambda inputs: {"outputs": inputs[:, :1] + module.ballast[0][0]},
    input_signature=[spec],
    autograph=False,
)
tf.saved_model.save(module, sys.argv[1], signatures={"serving_default": module.serve})
"""


def model_of(megabytes: int, data: Path) -> Path:
    """Return the base path of a model with that many megabytes of weights; create it if missing."""
    base = data / "models" / f"ballast-{megabytes}"
    if not (base / "1").is_dir():
        aside = base.with_name(f".{base.name}") / "1"
        subprocess.run([sys.executable, "-c", WRITE, str(aside), str(megabytes)], check=True)
        aside.parent.rename(base)
    return base


def measure(spark: SparkSession, base: Path, how: Distribute, executors: int) -> dict[str, Any]:
    """Send a model to every executor and load it there."""
    start = time.perf_counter()
    model = package.load(base)
    digest = model.digest
    hashed = time.perf_counter()
    source = distribute(spark, model, how)
    sent = time.perf_counter()
    handle = ModelHandle.of(model, source, EngineOptions(name="native"))

    def locate_and_load(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            begin = time.perf_counter()
            handle.source.locate(digest, handle.size)
            located = time.perf_counter()
            handle.open()
            loaded = time.perf_counter()
            time.sleep(HELD)  # keeps the slot busy, so that the other executors get the other tasks
            yield pa.RecordBatch.from_pydict(
                {"locate": [located - begin], "load": [loaded - located]}
            )

    tasks = spark.range(0, executors, 1, executors)
    open_before = connections(_jvm(spark))
    begun = time.perf_counter()
    rows = tasks.mapInArrow(locate_and_load, "locate double, load double").collect()
    job = time.perf_counter() - begun - HELD
    return {
        "how": how,
        "megabytes": round(model.size / 1e6),
        "executors": executors,
        "driver_digest_s": hashed - start,
        "driver_send_s": sent - hashed,
        "first_job_s": job,
        "driver_copies": sent_since(open_before, _jvm(spark)) / model.size,
        "worker_locate_s": sorted(row["locate"] for row in rows),
        "worker_load_s": sorted(row["load"] for row in rows),
        "driver_python_peak_mb": _peak_megabytes(os.getpid()),
        "driver_jvm_peak_mb": _peak_megabytes(_jvm(spark)),
    }


def _jvm(spark: SparkSession) -> int:
    gateway: Any = spark.sparkContext._gateway
    return int(gateway.jvm.java.lang.ProcessHandle.current().pid())


def _peak_megabytes(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000


def run_one(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure one method in a new session, with an empty cache."""
    (megabytes,), (how,), executors = chosen.mb, chosen.how, chosen.executors
    base = model_of(megabytes, chosen.data)
    heap = chosen.heap or 1024 + 2 * megabytes
    os.environ["SPARK_LOCAL_HOSTNAME"] = "localhost" if chosen.one_host else "127.0.0.1"
    with tempfile.TemporaryDirectory(dir=chosen.data) as cache:
        settings = {
            "spark.executorEnv.TFSPARK_CACHE_DIR": cache,
            "spark.executorEnv.PYTHONPATH": str(ROOT),
            "spark.executor.memory": f"{heap}m",
            "spark.driver.memory": f"{heap}m",
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        }
        with open_session(f"local-cluster[{executors},1,{heap}]", settings) as spark:
            # The executors and their workers are started before the measurement.
            spark.range(0, executors, 1, executors).mapInArrow(lambda x: x, "id long").count()
            measured = measure(spark, base, how, executors)
    cluster = torrent.Cluster(executors, executors if chosen.one_host else 1)
    simulate = {"broadcast": torrent.broadcast, "archive": torrent.archive}.get(how)
    predicted = simulate(cluster, megabytes * 1_000_000).copies if simulate else 0.0
    return {**measured, "predicted_copies": predicted, "one_host": chosen.one_host, "heap_mb": heap}


def main() -> None:
    """Measure each method and size in a new process, because the peak memory stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, action="append")
    parser.add_argument("--how", choices=WAYS, action="append")
    parser.add_argument("--executors", type=int, default=2)
    parser.add_argument("--one-host", action="store_true", help="the driver is on another host")
    parser.add_argument("--heap", type=int, help="MB of the driver's and each executor's JVM")
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(run_one(chosen)))
        return
    for megabytes in chosen.mb or (10, 500):
        for how in chosen.how or WAYS:
            command = [sys.executable, "-m", "benchmarks.distribution", "--inside"]
            command += ["--mb", str(megabytes), "--how", how, "--data", str(chosen.data)]
            command += ["--executors", str(chosen.executors)]
            command += ["--one-host"] * chosen.one_host
            command += ["--heap", str(chosen.heap)] * (chosen.heap is not None)
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
