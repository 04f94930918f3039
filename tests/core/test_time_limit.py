"""A process ends with a message if its model exceeds the time limit; others continue."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tfspark.errors import TimeLimitError
from tfspark.origin import Origin
from tfspark.spark.worker.time_limit import TimeLimit
from tfspark.testing import FakeEngine

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, threading
from tfspark.origin import Origin
from tfspark.spark.worker.time_limit import TimeLimit
from tfspark.testing import FakeEngine

def hang(inputs):
    threading.Event().wait()

step = sys.argv[1]
with TimeLimit(0.5, Origin("m (abc)", 3, lambda row: "/data/a.parquet")) as limit:
    with limit.loading():
        if step == "load":
            hang({})
    limit.wrap(FakeEngine(hang if step == "run" else dict)).run({})
    threading.Event().wait(0.8)  # no model is running
"""


def ended(step: str, folder: Path) -> tuple[int, str, list[str]]:
    """Return the exit code, the standard error, and the crash report for Spark."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, step],
        env={"PYTHONPATH": str(ROOT), "PYTHON_FAULTHANDLER_DIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, [file.read_text() for file in folder.iterdir()]


@pytest.mark.parametrize(
    ("step", "problem"), [("load", "did not load"), ("run", "did not answer for a batch")]
)
def test_a_hanging_step_ends_the_process(step: str, problem: str, tmp_path: Path) -> None:
    code, said, (told,) = ended(step, tmp_path)
    assert code == TimeLimitError.exit_code
    place = "model m (abc), partition 3, from /data/a.parquet"
    assert f"\ntfspark.errors.TimeLimitError: {place}: the model {problem} within 0.5 s" in told
    assert told in said
    assert "in hang" in said  # the stack of the thread that hangs


def test_time_without_a_running_model_does_not_count(tmp_path: Path) -> None:
    assert ended("none", tmp_path) == (0, "", [])


def test_without_a_limit_there_is_no_thread_and_no_wrapper() -> None:
    engine = FakeEngine(dict)
    with TimeLimit(None, Origin("m")) as limit:
        assert limit.wrap(engine) is engine
        assert not any("tfspark" in thread.name for thread in threading.enumerate())


def test_the_thread_ends_with_the_task() -> None:
    with TimeLimit(60.0, Origin("m")):
        (thread,) = [one for one in threading.enumerate() if one.name == "tfspark-time-limit"]
    thread.join(10)
    assert not thread.is_alive()
