"""A process that is killed before an operation, and the same command in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.test_commit_faults import rows

ROOT = Path(__file__).parents[2]
# Every operation costs two processes.
STEP = 1 if os.environ.get("ROUNDS") else 6


def run(output: Path, mode: str, allowed: int) -> int:
    command = (sys.executable, "-m", "tests.faults.killed_job", str(output), mode, str(allowed))
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_killed_process_and_the_same_command_in_another(mode: str, tmp_path: Path) -> None:
    for allowed in range(0, 100, STEP):
        output = tmp_path / str(allowed) / "out"
        output.mkdir(parents=True)
        (output / "old").write_text("old.1")
        ended = run(output, mode, allowed)
        if ended:
            assert (ended, run(output, mode, 1000)) == (9, 0)
        new = ["A.1", "A.2"]
        assert rows(output) == (new if mode == "overwrite" else [*new, "old.1"])
        assert [path.name for path in output.parent.iterdir()] == ["out"]
        if not ended:
            assert allowed > 15
            return
    raise AssertionError("the job does not end")
