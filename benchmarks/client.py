"""The client of `serve`: starts a process with sides and sends it tasks. Driver.

Runs a command and returns seconds per run. A process that dies or exceeds its time limit is ended,
together with all processes that it started, and raises an error with the end of its log.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.task import Task

ROOT = Path(__file__).resolve().parent.parent
STARTING_SECONDS = 180
RUNNING_SECONDS = 1200


class SideError(Exception):
    """A side that failed, with the end of its log."""


class Process:
    """A running `serve`.

    Attributes:
        start_seconds: Seconds from the command until the process can take a task.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        root: Path = ROOT,
    ) -> None:
        start = time.perf_counter()
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                list(command),
                cwd=root,
                env={
                    **os.environ,
                    "PYTHONPATH": str(root),
                    "TF_CPP_MIN_LOG_LEVEL": "3",
                    **(environment or {}),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
                start_new_session=True,
            )
        self.sides: list[str] = self._receive(STARTING_SECONDS)["sides"]
        self.start_seconds = time.perf_counter() - start

    def run(self, side: str, task: Task) -> float:
        """Run one task and return its seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"side": side, "task": task.to_json()}) + "\n")
        return float(self._receive(RUNNING_SECONDS)["seconds"])

    def close(self) -> None:
        """Let the process end; kill it with its children if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._kill()
        self._process.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(seconds) else None
        if not line:
            reason = self._ended() if line == "" else f"gave no answer in {seconds} s"
            self._kill()
            command = " ".join(self._process.args[:4])
            raise SideError(f"{command}:\n{self._end_of_log()}\nthe process {reason}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> str:
        """Return how a process ended that closed its output."""
        try:
            code = self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def _kill(self) -> None:
        # It has its own process group, so this kills only the JVM and the workers that it started.
        if self._process.poll() is None or self._process.returncode:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
        self._process.wait()

    def _end_of_log(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]
