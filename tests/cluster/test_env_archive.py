"""An archive of an environment on a cluster whose Python has no tfspark."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.daemons import ALL_EXECUTORS
from tests.shell import ROOT, SHORT_EXECUTORS

PYTHON = "./environment/bin/python"


def run(command: list[object], cwd: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.xdist_group("archive")
@pytest.mark.timeout(900)
def test_workers_without_tfspark_score_in_the_environment_of_the_archive(
    archive: Path,
    master: str,
    workers: list[Path],
    environment: dict[str, str],
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Any,
    tmp_path: Path,
) -> None:
    """One test, so that the archive is built once and the cluster starts once."""
    lacks = "import importlib.util as u; assert u.find_spec('tfspark') is None"
    run(["python3", "-c", lacks], tmp_path, environment)
    flags = ["--model", linear, "--input", numbers, "--engine", "openvino", "--output"]
    sizes = ("--conf", "spark.executor.memory=1g", *ALL_EXECUTORS, *SHORT_EXECUTORS)
    archives = f"{archive}#environment"

    command = [sys.executable, "-m", "tfspark", "score", *flags, "command", "--master", master]
    confs = ("--conf", f"spark.archives={archives}", "--conf", f"spark.pyspark.python={PYTHON}")
    run([*command, *confs, *sizes], tmp_path, {**environment, "PYTHONPATH": str(ROOT)})

    submit = [ROOT / "spark-submit.sh", "--master", master, "--archives", archives, *sizes]
    own = {**environment, "PYSPARK_PYTHON": PYTHON, "PYSPARK_DRIVER_PYTHON": sys.executable}
    run([*submit, "jobs/batch_score.py", *flags, "submitted"], tmp_path, own)

    for name in ("command", "submitted"):
        assert predictions(tmp_path / name) == expected
        report = json.loads(next((tmp_path / name).glob("_tfspark_report_*.json")).read_text())
        assert "openvino" in report["versions"]
        assert "tensorflow" not in report["versions"], "the Python of the driver has it"
    unpacked = [list(folder.glob("app-*/*/environment/bin/python")) for folder in workers]
    assert [len(found) for found in unpacked] == [2, 2]
