"""Reads the memory of a Spark application: PSS of its processes, live objects of its JVMs.

PSS counts a page that several processes share once. A process that has just ended has no memory.
Only for Linux and for processes of the same user.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_EXECUTOR = b"CoarseGrainedExecutorBackend"
_TOTAL = re.compile(r"^Total +\d+ +(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Application:
    """The processes of an application on this machine.

    Attributes:
        driver: The Python process of the driver.
        app_id: Spark's id of the application.
    """

    driver: int
    app_id: str

    def jvms(self) -> dict[str, list[int]]:
        """Return the JVMs by their role."""
        below = [one for one in descendants(self.driver) if command(one)[0].endswith(b"java")]
        executors = [
            one
            for one in _processes()
            if _EXECUTOR in b" ".join(command(one)) and self.app_id.encode() in command(one)
        ]
        return {"driver, JVM": below, "executors, JVM": executors}

    def workers(self) -> list[int]:
        """Return the Python workers of all executors, without the daemons that fork them."""
        daemons = [one for jvm in self.jvms()["executors, JVM"] for one in children(jvm)]
        return [one for daemon in daemons for one in children(daemon)]

    def megabytes(self) -> dict[str, float]:
        """Return the PSS of the processes by their role."""
        roles = {"driver, Python": [self.driver], **self.jvms()}
        executors = roles["executors, JVM"]
        roles["Python workers"] = [one for jvm in executors for one in descendants(jvm)]
        return {role: sum(map(pss, processes)) for role, processes in roles.items()}

    def live_heap(self) -> dict[str, float]:
        """Return the megabytes that stay in the heaps after a full garbage collection."""
        return {role: sum(map(live_heap, jvms)) for role, jvms in self.jvms().items()}


def pss(process: int) -> float:
    """Return the PSS of a process in MB."""
    for line in _read(process, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) / 1000
    return 0.0


def live_heap(jvm: int) -> float:
    """Return the MB of the objects that a JVM can reach.

    The size of the heap after a collection would count what a busy JVM has allocated since.
    """
    found = _TOTAL.search(_jcmd(jvm, "GC.class_histogram"))
    return int(found[1]) / 1e6 if found else 0.0


def children(process: int) -> list[int]:
    """Return the direct children of a process."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for thread in threads for child in _bytes(thread).split()]


def descendants(process: int) -> Iterator[int]:
    """Yield the children, their children, and so on."""
    for child in children(process):
        yield child
        yield from descendants(child)


def _processes() -> Iterable[int]:
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]


def command(process: int) -> list[bytes]:
    """Return the words of a process's command; none if the process has ended."""
    return _read(process, "cmdline").split(b"\0")


def _read(process: int, name: str) -> bytes:
    return _bytes(Path(f"/proc/{process}/{name}"))


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # the process has ended
        return b""


def _jcmd(jvm: int, command: str) -> str:
    done = subprocess.run(["jcmd", str(jvm), command], capture_output=True, text=True, check=False)
    return done.stdout
