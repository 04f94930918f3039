"""Workers hang, crash or are killed: another attempt scores, and each row is written once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.shell import run_python
from tfspark.errors import TfsparkError, TimeLimitError
from tfspark.handle import PathSource
from tfspark.options import ScoreOptions
from tfspark.scoring.batch import execute, new_report, plan
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.job import BatchJob

pytestmark = pytest.mark.faults

ROOT = Path(__file__).resolve().parents[2]
ATTEMPTS = 2
SCORING = {"direct": "tfspark.scoring.direct", "spark": "tfspark.spark.python_backend"}
FAULTS: dict[str, Callable[[], object]] = {
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: threading.Event().wait(),
}
CASES = [("direct", "segfault"), ("direct", "kill"), ("direct", "hang"), ("spark", "kill")]
CODES = {"segfault": 65, "kill": 75, "hang": 75}
SECONDS = 10.0  # far more than a good model needs to load on a busy machine


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lost_worker_is_replaced_and_one_that_always_dies_fails_the_job_once(
    linear: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows"
    rows.mkdir()
    for part in range(3):
        features = pa.array([[part, 1.0]] * 4, pa.list_(pa.float32()))
        pq.write_table(pa.table({"features": features}), rows / f"{part}.parquet")
    done = run_python(tmp_path, __file__, linear, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    assert done.stdout.split() == [f"{way}-{fault}" for way, fault in CASES]


def main(model: str, folder: str) -> None:
    """Run each fault, in the first attempt of a task and in all attempts."""
    from tfspark.spark.cluster.session import session

    spark = session("faults", master=f"local[2,{ATTEMPTS}]")
    for way, fault in CASES:
        goes_on(spark, model, Path(folder), way, fault)
        fails_once(spark, model, Path(folder), way, fault)
        print(f"{way}-{fault}")
    spark.stop()


def run(spark: Any, model: str, folder: Path, name: str, way: Any) -> Path:
    """Run a job; return its output."""
    options = ScoreOptions(timeout=SECONDS)
    rows, out = Dataset(str(folder / "rows")), Dataset(str(folder / name))
    report = new_report("test")
    job = BatchJob(model, rows, out, path=way, options=options)
    execute(spark, plan(spark, job, report), report)
    return folder / name


def hurt(way: str, before: Callable[[], object]) -> None:
    """Let a worker run a fault before it opens the model to score."""
    from importlib import import_module

    from tfspark.spark.model_loading import handle_of

    class Hurt(PathSource):
        def locate(self, digest: str, size: int) -> Path:
            before()
            return Path(self.path)

    def handle(spark: Any, package: Any, options: Any, *choice: Any) -> Any:
        found = handle_of(spark, package, options, *choice)
        # Another digest, so that no worker has loaded the model.
        return replace(found, source=Hurt(package.path), digest=os.urandom(32).hex())

    setattr(import_module(SCORING[way]), "handle_of", handle)  # noqa: B010


def goes_on(spark: Any, model: str, folder: Path, way: str, fault: str) -> None:
    """One attempt is lost, and the job has every row once."""
    mark, do = folder / f"{way}-{fault}", FAULTS[fault]

    def once() -> None:
        if not mark.exists():
            mark.touch()
            do()

    hurt(way, once)
    scored = pq.read_table(run(spark, model, folder, f"{way}-{fault}-once", way))
    assert sorted(scored["outputs"].to_pylist()) == [2.0] * 4 + [4.0] * 4 + [6.0] * 4


def fails_once(spark: Any, model: str, folder: Path, way: str, fault: str) -> None:
    """All attempts of a task are lost, and nothing is visible."""
    hurt(way, FAULTS[fault])
    name = f"{way}-{fault}-always"
    with pytest.raises(TfsparkError) as caught:
        run(spark, model, folder, name, way)
    message = str(caught.value)
    assert caught.value.exit_code == CODES[fault], message
    assert "model linear_model version 1 (" in message, message
    assert ", partition " in message, message
    assert fault == "hang" or f"{ATTEMPTS} times" in message, message
    assert way == "spark" or ".parquet" in message, message
    assert not (folder / name).exists()


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_a_model_that_never_answers_ends_the_job(
    path: Any, spark: Any, endless: Path, tmp_path: Path
) -> None:
    features = pa.array([[1.0, 2.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"features": features}), tmp_path / "rows")
    with pytest.raises(TimeLimitError) as caught:
        run(spark, str(endless), tmp_path, "out", path)
    message = str(caught.value)
    assert message.startswith("model endless version 1 ("), message
    assert ", partition 0" in message, message
    assert "did not answer for a batch within 10 s" in message, message
    assert ("/rows: " in message) == (path == "direct"), message  # Spark does not tell the file
    assert not (tmp_path / "out").exists()


ENDLESS = """
import sys
import numpy as np
from tfspark.engine import EngineOptions, load_engine
from tfspark.origin import Origin
from tfspark.package import load
from tfspark.spark.worker.time_limit import TimeLimit

path, name = sys.argv[1:]
package = load(path)
engine = load_engine(package.path, package.tags, package.signature, EngineOptions(name))
engine.run({"inputs": np.full((1, 2), np.inf, np.float32)})
with TimeLimit(1.0, Origin("endless")) as limit:
    limit.wrap(engine).run({"inputs": np.ones((1, 2), np.float32)})
"""


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_a_run_of_each_engine_can_be_ended(engine: str, endless: Path, tmp_path: Path) -> None:
    done = run_python(tmp_path, "-c", ENDLESS, endless, engine)
    assert done.returncode == TimeLimitError.exit_code, done.stderr
    assert "the model did not answer for a batch within 1 s" in done.stderr


KILL_THE_JVM = """
import os, signal, sys
from jobs import batch_score
from tfspark.scoring import report_file

write = report_file.write_report

def write_and_kill(spark, *arguments):
    place = write(spark, *arguments)
    os.kill(spark._jvm.java.lang.ProcessHandle.current().pid(), signal.SIGKILL)
    return place

report_file.write_report = write_and_kill
sys.exit(batch_score.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_jvm_that_dies_after_the_rows_are_shown_ends_no_job(linear: Path, tmp_path: Path) -> None:
    features = pa.array([[1.0, 2.0]], pa.list_(pa.float32()))
    pq.write_table(pa.table({"features": features}), tmp_path / "rows")
    flags = ("--model", linear, "--input", tmp_path / "rows", "--output", tmp_path / "out")
    done = run_python(tmp_path, "-c", KILL_THE_JVM, *flags)
    assert done.returncode == 0, done.stderr[-6000:]
    assert Path(done.stdout.splitlines()[-1]).is_file()
    assert pq.read_table(tmp_path / "out")["outputs"].to_pylist() == [3.0]
    assert not list(tmp_path.glob(".out*"))


if __name__ == "__main__":
    main(*sys.argv[1:])
