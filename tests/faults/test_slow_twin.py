"""One attempt of a task sleeps, another one is counted; the first wakes up in the commit."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.faults import forked
from tests.faults.numbered_rows import NEW
from tests.faults.reader import files_of, rows_of
from tfspark.scoring.output.apply import Applier
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.part_file import PartFile

PREFIX = len("part-00000-0123456789abcdef-")
ROWS = pa.RecordBatch.from_pydict({"id": [1], "features": [[1.0, 0.0]], "outputs": [5.0]})


class Twin:
    """A task attempt in its own process, which sleeps in the middle of its file."""

    def __init__(self, output: PathOutput, part: str) -> None:
        self._pid = forked.start(lambda: self._write(str(output.folder), part[:PREFIX]))
        _, status = os.waitpid(self._pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    @staticmethod
    def _write(staged: str, prefix: str) -> int:
        with PartFile(staged, prefix, "outputs") as part:
            part.add(ROWS)
            # To this thread: a signal to the process may stop another thread first.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        return 0

    def wake_up(self) -> int:
        """Let the attempt finish; return its exit code."""
        os.kill(self._pid, signal.SIGCONT)
        return forked.end_of(self._pid)


@pytest.mark.parametrize("mode", ["error", "append"])
@pytest.mark.parametrize("moment", ["decided", "published"])
def test_the_file_of_a_late_attempt_is_never_published(
    moment: str, mode: str, job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins: list[Twin] = []
    take, apply = PathOutput.take, Applier.apply

    def take_beside_a_twin(output: PathOutput, files: Any) -> None:
        twins.append(Twin(output, files[0]))
        take(output, files)

    def apply_beside_a_twin(applier: Applier, journal: Any) -> None:
        if moment == "decided":
            assert twins[0].wake_up() == 0  # its file is complete
        apply(applier, journal)

    monkeypatch.setattr(PathOutput, "take", take_beside_a_twin)
    monkeypatch.setattr(Applier, "apply", apply_beside_a_twin)
    output = tmp_path / "out"
    assert job(output, "--path", "direct", "--mode", mode) == 0
    if moment == "published":
        assert twins[0].wake_up() == forked.BUG  # its folder is gone
    assert rows_of(files_of(output)) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
