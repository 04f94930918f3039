"""A model in several broadcasts, on an executor in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHUNKS = 12
CHUNK_MB = 16

SCRIPT = f"""
import json, sys
from pathlib import Path

root, large, small, numbers = sys.argv[1:]
sys.path.insert(0, root)
import tfspark
from tfspark.errors import EngineError
from tfspark.spark.cluster import distribution
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.session import session

def peak_mb():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").open())
    return int(status["VmHWM"].split()[0]) / 1024

spark = session("chunks")
rows = spark.read.parquet(numbers)
package = tfspark.load(large)
distribution.CHUNK = {CHUNK_MB} << 20
before = peak_mb()
scored = tfspark.predict(rows, package)
grown = peak_mb() - before
source = distribution.distribute(spark, package)
answers = [[row.id, row.outputs] for row in scored.collect()]

distribution.CHUNK = 4096
scored = tfspark.predict(rows, small)
lost = distribution.distribute(spark, tfspark.load(small)).chunks[1]._jbroadcast.id()
broadcasts = getattr(spark.sparkContext._jvm.org.apache.spark.broadcast, "TorrentBroadcast$")
getattr(broadcasts, "MODULE$").unpersist(lost, True, True)  # removes it from the driver
try:
    with own_errors():
        scored.collect()
except EngineError as error:
    print(json.dumps([len(source.chunks), grown, answers, str(error), lost]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_model_of_many_chunks_and_a_chunk_that_is_lost(
    submit: Any, linear: Path, numbers: Path, expected: dict[int, float], tmp_path: Path
) -> None:
    script = tmp_path / "chunks.py"
    script.write_text(SCRIPT)
    large, small = (shutil.copytree(linear, tmp_path / name) for name in ("large", "small"))
    for base in (large, small):
        (base / "1" / "assets.extra").mkdir()
        (base / "1" / "assets.extra" / "ballast").write_text(base.name)
    os.truncate(large / "1" / "assets.extra" / "ballast", (CHUNKS * CHUNK_MB << 20) - (1 << 20))
    done = submit("--master", "local-cluster[1,1,1024]", script, ROOT, large, small, numbers)
    chunks, grown, answers, error, lost = json.loads(done.stdout.splitlines()[-1])
    assert chunks == CHUNKS
    assert grown < 3 * CHUNK_MB
    assert dict(map(tuple, answers)) == expected
    assert "such as a model, did not reach a worker" in error
    assert f"of broadcast_{lost}" in error
