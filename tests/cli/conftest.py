"""A command in this process, without Spark: its exit code and its output."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tfspark.cli import command, on_spark

SAMPLE = Path(command.__file__).parent / "sample"


@dataclass
class Ended:
    """How a command ended."""

    code: object
    stdout: str
    error: str


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Run a command in an empty folder; a start of Spark is an error of the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("Spark starts")

    monkeypatch.setattr(on_spark, "_session", refuse)
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("TFSPARK_", "SPARK_", "HADOOP_", "MASTER")):
            monkeypatch.delenv(name)

    def end(*words: object) -> Ended:
        capsys.readouterr()
        try:
            code: object = command.main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return end
