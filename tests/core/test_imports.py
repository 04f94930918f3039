import subprocess
import sys

import pyarrow as pa
import pytest

HEAVY = {"tensorflow", "keras", "pyspark", "py4j", "pandas"}

SCORE = """
import sys
import pyarrow as pa
from tfspark.runner import score
from tfspark.columns import columns_of
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.testing import FakeEngine
inputs = (TensorSpec("x", "float32", (None, None)), TensorSpec("s", "string", (None,)))
outputs = (TensorSpec("y", "float32", (None, None)), TensorSpec("t", "string", (None,)))
batch = pa.ipc.open_stream(sys.argv[1]).read_next_batch()
binding = bind(Signature("serve", inputs, outputs), columns_of(batch.schema))
engine = FakeEngine(lambda fed: {"y": fed["x"], "t": fed["s"]})
(scored,) = score([batch, batch.slice(0, 0)], binding, engine)
assert scored.column("y") == batch.column("x")
"""

READ = """
import sys
import tfspark
tfspark.load(sys.argv[1]).describe()
"""


def imported(code, *arguments):
    """The top-level packages that a fresh Python imports."""
    command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    report = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    names = [line.rpartition("|")[2].strip() for line in report.splitlines()]
    return {name.partition(".")[0] for name in names}


def test_the_package_imports_nothing_heavy():
    found = imported("import tfspark")
    assert "tfspark" in found
    assert not found & HEAVY


def test_scoring_imports_nothing_heavy(tmp_path):
    # Made here, because pyarrow imports pandas to turn Python objects into arrays.
    table = pa.table({"x": pa.array([[1.0], None, [2.0, 3.0], []], pa.list_(pa.float32()))})
    table = table.append_column("s", pa.array(["a", "b", "c", "d"]))
    with pa.ipc.new_stream(tmp_path / "rows.arrow", table.schema) as stream:
        stream.write_table(table)
    assert not imported(SCORE, str(tmp_path / "rows.arrow")) & HEAVY


def test_reading_a_model_imports_nothing_heavy(linear_model):
    assert not imported(READ, str(linear_model)) & HEAVY


def test_a_task_imports_no_engine_that_it_does_not_use():
    code = "import sys, tfspark.spark.worker.task; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "tfspark.engine.native" in done.stdout.split()
    assert not {"tfspark.engine.openvino", "openvino", "tensorflow"} & set(done.stdout.split())


def test_importing_writes_nothing():
    command = [sys.executable, "-c", "import tfspark; tfspark.__dir__()"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_public_names_are_sorted():
    import tfspark

    assert tfspark.__all__ == sorted(tfspark.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tfspark.nothing  # noqa: B018


def test_reading_parquet_imports_no_other_format():
    code = "import sys, tfspark.data_files.footers, tfspark.data_files.pieces; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"pyarrow.orc", "pyarrow.csv", "pyarrow.json"}.isdisjoint(found.stdout.split())
