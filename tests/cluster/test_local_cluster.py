"""The batch job on executors in separate processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def gpus(tmp_path: Path) -> list[str]:
    """Settings of a cluster whose workers report a GPU and give one to each task."""
    script = tmp_path / "discover.sh"
    script.write_text("""#!/bin/sh\necho '{"name": "gpu", "addresses": ["7"]}'\n""")
    script.chmod(0o755)
    amounts = {f"spark.{who}.resource.gpu.amount": 1 for who in ("worker", "executor", "task")}
    settings = amounts | {"spark.worker.resource.gpu.discoveryScript": script}
    return [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]


@pytest.mark.slow
def test_a_task_with_a_gpu_never_scores_on_a_cpu(
    submit: Any, linear: Path, numbers: Path, gpus: list[str], tmp_path: Path
) -> None:
    done = submit(
        *("--master", "local-cluster[1,1,1024]", *gpus, "jobs/batch_score.py"),
        *("--model", linear, "--input", numbers, "--output", tmp_path / "out"),
        code=65,
    )
    assert "TensorFlow does not see the GPU that this task was given" in done.stderr
    assert "expected: GPU 7" in done.stderr
    assert not (tmp_path / "out").exists()


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
