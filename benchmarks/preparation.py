"""Makes the rows and models of a run, also the models in the formats of the peers. Driver.

Each step runs in a process of its own, in the environment that it needs. Existing files are not
made again. A model that a peer cannot load is not an error: the peer is left out, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cases import Case
from benchmarks.client import ROOT
from benchmarks.measure import reason_of, rows_of, rows_searched
from benchmarks.peers.mlflow_model import is_saved
from benchmarks.peers.runtimes import RUNTIMES, onnx_file
from benchmarks.roster import SideOf, python_in, python_of
from benchmarks.task import Task


class StepError(Exception):
    """A step of the preparation that failed, with its output."""


def prepare(
    cases: Sequence[Case], sides: Sequence[SideOf], data: Path, *, search: bool = False
) -> None:
    """Make the missing rows and models in another process, which may import TensorFlow.

    Args:
        cases: The cases.
        sides: The sides that will run.
        data: Folder of the rows and models.
        search: Whether the rows of the search for settings are needed too.
    """
    wanted = {(case.name, case.rows): case for case in cases}
    for case in cases:
        for side in (side for side in sides if side.takes(case)):
            counts = [rows_of(side, case)]
            counts += [rows_searched(side, case)] if search and side.batch == "best" else []
            wanted.update({(case.name, rows): case.at(rows) for rows in counts})
    missing = [one for one in wanted.values() if not one.folder(data).is_dir()]
    if words := [f"{one.name}:{one.rows}" for one in missing]:
        print(f"making rows and models: {' '.join(words)}", flush=True)
        _run(sys.executable, "benchmarks.prepare", str(data), *words)
    for case in cases:
        task = case.task(data, data / "out")
        needed = any(side.group == "mlflow" and side.takes(case) for side in sides)
        if needed and not is_saved(task):
            print(f"saving {case.name} for mlflow", flush=True)
            _run(python_of("mlflow"), "benchmarks.peers.mlflow_model", str(task))


def unable(case: Case, sides: Sequence[SideOf], data: Path) -> dict[str, str]:
    """Return the sides whose runtime cannot load the model of a case, with the reasons."""
    task = case.task(data, data / "out")
    reasons = {
        runtime: _reason(runtime, task)
        for runtime in dict.fromkeys(side.group for side in sides)
        if runtime in RUNTIMES
    }
    return {side.name: reason for side in sides if (reason := reasons.get(side.group))}


def _reason(runtime: str, task: Task) -> str:
    """Return why a runtime cannot load a model; an empty text if it can."""
    try:
        if runtime == "onnx" and not onnx_file(task.export_dir).is_file():
            print(f"converting {task.case} to ONNX", flush=True)
            _run(python_in("tf2onnx"), "benchmarks.peers.onnx_model", str(task))
        _run(python_of(runtime), "benchmarks.peers.runtimes", runtime, str(task))
    except StepError as error:
        if "ModuleNotFoundError" in str(error):
            raise  # the environment is incomplete; the model is not the cause
        return reason_of(error)
    return ""


def _run(python: str, module: str, *arguments: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-m", module, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StepError(f"{python} -m {module} failed:\n{done.stderr[-4000:]}")
