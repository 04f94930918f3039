"""Commands whose standard streams are closed, narrow, or read only in part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.shell import ROOT
from tfspark.scoring.run_job import stop


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `tfspark` is the command."""
    command = f'set -o pipefail; tfspark() {{ {sys.executable} -m tfspark "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("line", ["tfspark --version >&-", "tfspark --help 2>&- >&-"])
def test_streams_may_be_closed(line: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_encoding_may_lack_characters() -> None:
    done = shell("tfspark --help", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: tfspark COMMAND \\u2026" in done.stdout


@pytest.mark.parametrize("words", ["inspect {model} --json", "score --show-config", "score -h"])
def test_the_reader_of_a_pipe_may_end_early(linear: Path, words: str) -> None:
    done = shell(f"tfspark {words.format(model=linear)} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_signal_while_the_session_stops_does_not_change_the_result() -> None:
    class Session:
        def stop(self) -> None:
            raise KeyboardInterrupt

    stop(Session())  # type: ignore[arg-type]
