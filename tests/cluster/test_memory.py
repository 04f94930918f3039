"""Memory of a Python worker that scores a partition far larger than a batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 2_000_000
WIDTH = 15
LIMIT_MB = 900

# A worker never returns its peak memory, so this test has its own session.
SCRIPT = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession
import pyarrow as pa
import tfspark

model, table = sys.argv[1:]
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()

def peak(batches):
    for _ in batches:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").open())
        yield pa.RecordBatch.from_pydict({"kib": [int(status["VmHWM"].split()[0])]})

df = spark.read.parquet(table).coalesce(1)
scored = tfspark.predict(df, model)
rows = scored.where("outputs IS NOT NULL").count()
(used,) = spark.range(0, 1, 1, 1).mapInArrow(peak, "kib long").collect()
print(json.dumps({"rows": rows, "mb": used["kib"] / 1024}))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of 2 000 000 rows × 15 floats."""
    values = pa.array(np.ones(ROWS * WIDTH, np.float32))
    offsets = pa.array(np.arange(ROWS + 1, dtype=np.int32) * WIDTH)
    path = tmp_path_factory.mktemp("wide") / "rows.parquet"
    pq.write_table(pa.table({"inputs": pa.ListArray.from_arrays(offsets, values)}), path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tensorflow as tf

    from tfspark.testing import save_function

    spec = tf.TensorSpec((None, WIDTH), tf.float32, name="inputs")
    base = tmp_path_factory.mktemp("models") / "sum"
    return save_function(base, lambda inputs: {"outputs": tf.reduce_sum(inputs, axis=1)}, spec)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_worker_is_bounded_by_the_batch(
    model: Path, table: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(model), str(table)],
        env={**environment, "PYSPARK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["rows"] == ROWS
    assert seen["mb"] < LIMIT_MB
