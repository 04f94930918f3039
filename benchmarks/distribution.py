"""Measures the cost of sending a large model to the executors, by size and by method.

    python -m benchmarks.distribution --mb 10 --mb 500 --how broadcast --how archive --how path

Starts a cluster of several executors on this machine (`local-cluster`), each with a worker that
does not have the model yet. Prints one JSON line for each method and size: seconds of the driver,
seconds of the first job over all executors (Spark fetches an archive before a task begins), the
parts of it for finding and for loading the files, and the memory of the driver. All executors share
one machine here, so `TFSPARK_CACHE_DIR` is one folder and one of them unpacks.
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

from benchmarks.client import ROOT
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


def run_one(megabytes: int, how: Distribute, executors: int, data: Path) -> dict[str, Any]:
    """Measure one method in a new session, with an empty cache."""
    base = model_of(megabytes, data)
    with tempfile.TemporaryDirectory(dir=data) as cache:
        settings = {
            "spark.executorEnv.TFSPARK_CACHE_DIR": cache,
            "spark.executorEnv.PYTHONPATH": str(ROOT),
            "spark.executor.memory": "1g",
        }
        with open_session(f"local-cluster[{executors},1,1024]", settings) as spark:
            # The executors and their workers are started before the measurement.
            spark.range(0, executors, 1, executors).mapInArrow(lambda x: x, "id long").count()
            return measure(spark, base, how, executors)


def main() -> None:
    """Measure each method and size in a new process, because the peak memory stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, action="append")
    parser.add_argument("--how", choices=WAYS, action="append")
    parser.add_argument("--executors", type=int, default=2)
    parser.add_argument("--data", type=Path, default=ROOT / "benchmarks" / "data")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        print(json.dumps(run_one(chosen.mb[0], chosen.how[0], chosen.executors, chosen.data)))
        return
    for megabytes in chosen.mb or (10, 500):
        for how in chosen.how or WAYS:
            command = [sys.executable, "-m", "benchmarks.distribution", "--inside"]
            command += ["--mb", str(megabytes), "--how", how, "--data", str(chosen.data)]
            command += ["--executors", str(chosen.executors)]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
            subprocess.run(command, cwd=ROOT, env=environment, check=True)


if __name__ == "__main__":
    main()
