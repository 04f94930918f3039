"""The batch job on executors that are processes of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_job_on_a_local_cluster(
    submit: Any,
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Any,
    tmp_path: Path,
) -> None:
    done = submit(
        *("--master", "local-cluster[2,1,1024]", "jobs/batch_score.py", "--path", "spark"),
        *("--model", linear, "--input", numbers, "--output", tmp_path / "out"),
    )
    report = json.loads(Path(done.stdout.splitlines()[-1]).read_text())
    assert (report["rows_in"], report["rows_out"], report["path"]) == (800, 800, "spark")
    assert predictions(tmp_path / "out") == expected
