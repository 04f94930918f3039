"""The processes of the groups, each started when it is first needed. Driver.

A process serves all cases of a run, so a session starts and compiles once. If a side
fails, its process ends; the next task of its group starts a new one.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.client import Process, SideError
from benchmarks.task import Task


class Processes:
    """Starts and keeps the processes.

    Args:
        start: Starts the process of a group.
    """

    def __init__(self, start: Callable[[str], Process]) -> None:
        self._start = start
        self._running: dict[str, Process] = {}

    def run(self, group: str, side: str, task: Task) -> float:
        """Run one task and return its seconds.

        Raises:
            SideError: When the side or the start of its process fails.
        """
        if group not in self._running:
            self._running[group] = self._start(group)
        try:
            return self._running[group].run(side, task)
        except SideError:
            del self._running[group]
            raise

    def close(self) -> None:
        """End all processes."""
        for process in self._running.values():
            process.close()
