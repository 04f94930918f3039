"""Tiny partitions: every task runs, and no task loads the model again.

`TFSPARK_PARTITIONS=10000` runs the long form.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PARTITIONS = int(os.environ.get("TFSPARK_PARTITIONS", "64"))

# Workers of other tests have loaded other models, so this test has its own session.
SCRIPT = """
import json, os, sys
from pyspark.sql import SparkSession, functions as sf
import pyarrow as pa
import tfspark

model, partitions = sys.argv[1], int(sys.argv[2])
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.python.unix.domain.socket.enabled", "true")
    .getOrCreate()
)

def loads(batches):
    from tfspark.cache import ENGINES  # of the worker; the driver's holds a lock

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"pid": [os.getpid()], "loads": [ENGINES.loads]})

df = spark.range(0, partitions, 1, partitions)
df = df.select(sf.array(sf.col("id").cast("float"), sf.lit(1.0).cast("float")).alias("inputs"))
scored = tfspark.predict(df, model, keep=[])
total = scored.agg(sf.count("outputs"), sf.sum("outputs")).first()
asked = spark.range(0, 16, 1, 16).mapInArrow(loads, "pid long, loads long").distinct().collect()
print(json.dumps({"total": list(total), "loads": [row["loads"] for row in asked]}))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tiny_partitions_load_the_model_once_per_worker(
    linear: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(linear), str(PARTITIONS)],
        env={**environment, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["total"] == [PARTITIONS, sum(2.0 * one - 1.0 + 3.0 for one in range(PARTITIONS))]
    assert seen["loads"]
    assert set(seen["loads"]) == {1}
