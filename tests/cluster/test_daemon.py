import json
import subprocess
import sys
from pathlib import Path

import pytest

# A daemon belongs to a JVM, so this test starts a separate JVM.
SCRIPT = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession
import pyarrow as pa
import tfspark

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.python.daemon.module", "tfspark.spark.daemon")
    .getOrCreate()
)

def look(batches):
    for batch in batches:
        maps = "libtensorflow_cc" in Path("/proc/self/maps").read_text()
        yield pa.RecordBatch.from_pydict({"open": [maps], "python": ["tensorflow" in sys.modules]})

(before,) = spark.range(1).mapInArrow(look, "open boolean, python boolean").collect()
df = spark.createDataFrame([([1.0, 2.0],), ([3.0, 5.0],)], "features array<float>")
scored = [row["outputs"] for row in tfspark.predict(df, sys.argv[1]).collect()]
(after,) = spark.range(1).mapInArrow(look, "open boolean, python boolean").collect()
print(json.dumps({"before": before.asDict(), "scored": scored, "after": after.asDict()}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_worker_of_the_daemon_starts_with_the_library_open(linear: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(linear)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["before"] == {"open": True, "python": False}
    assert seen["scored"] == [3.0, 4.0]
    assert seen["after"] == {"open": True, "python": False}
