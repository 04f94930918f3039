"""If its workers hang, crash or are killed, a job ends with one message, without output."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from jobs.batch_score import main

LOADING = "tfspark.scoring.preflight"
SCORING = {"direct": "tfspark.scoring.direct", "spark": "tfspark.spark.python_backend"}


def flags_of(model: Path, rows: Path, folder: Path, path: str) -> tuple[object, ...]:
    return ("--model", model, "--input", rows, "--output", folder / "out", "--path", path)


@pytest.mark.parametrize("path", ["spark", "direct"])
def test_a_model_that_crashes_or_hangs_while_it_loads_starts_no_job(
    path: str, end_of: Any, deadly: Any, linear: Path, rows: Path, tmp_path: Path
) -> None:
    flags = flags_of(linear, rows, tmp_path, path)
    deadly(LOADING, lambda: os.kill(os.getpid(), signal.SIGSEGV))
    ended = end_of(main, *flags)
    assert ended.code == 65
    assert "while it was loaded: native code crashed the Python worker" in ended.error
    assert "found:    Segmentation fault" in ended.error

    deadly(LOADING, lambda: threading.Event().wait())
    slow = end_of(main, *flags, "--timeout", 1)
    assert slow.code == 75
    assert "the model did not load within 1 s" in slow.error
    for one in (ended, slow):
        assert one.error.startswith("model linear_model version 1 (")
        # No row was read: Spark infers a schema in a job of its own.
        assert one.spark_jobs == (2 if path == "spark" else 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("path", "number", "code", "words"),
    [
        ("direct", signal.SIGSEGV, 65, "native code crashed the Python worker"),
        ("spark", signal.SIGKILL, 75, "a process of Spark ended during the task"),
    ],
)
def test_a_worker_that_dies_while_it_scores_is_one_message(
    path: str,
    number: signal.Signals,
    code: int,
    words: str,
    end_of: Any,
    deadly: Any,
    linear: Path,
    rows: Path,
    tmp_path: Path,
) -> None:
    deadly(SCORING[path], lambda: os.kill(os.getpid(), number))
    ended = end_of(main, *flags_of(linear, rows, tmp_path, path))
    assert ended.code == code
    assert ended.error.startswith("model linear_model version 1 (")
    assert ", partition " in ended.error
    assert words in ended.error
    assert ("part-" in ended.error) == (path == "direct")
    assert not (tmp_path / "out").exists()
