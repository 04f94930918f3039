"""The owner of a lock: identifies one process among all machines. Driver.

The lock of an ended process can be taken over at once. Only a process on the same machine and in
the same process namespace (a container has its own) can detect the end, by the start time.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Owner:
    """One process.

    Attributes:
        host: Name of its machine.
        machine: Identifies the boot of the machine and the process namespace; empty when unknown.
        pid: Its process id.
        started: Its start time in ticks since the boot; empty when unknown.
        user: Name of its user.
    """

    host: str
    machine: str
    pid: int
    started: str
    user: str

    @classmethod
    def this_process(cls) -> Owner:
        """Return the current process."""
        pid = os.getpid()
        return cls(socket.gethostname(), _machine(), pid, _started(pid), _user())

    @classmethod
    def unknown(cls) -> Owner:
        """Return an unknown owner, which may still be working."""
        return cls("", "", 0, "", "")

    @classmethod
    def of(cls, record: dict[str, Any]) -> Owner:
        """Return the owner in a record of `as_record`.

        Raises:
            Exception: A `KeyError` or `TypeError` if the record is not one of `as_record`.
        """
        owner = cls(**{name: record[name] for name in cls.__dataclass_fields__})
        texts = (owner.host, owner.machine, owner.started, owner.user)
        if type(owner.pid) is not int or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{record!r} is not a process")
        return owner

    def as_record(self) -> dict[str, Any]:
        """Return the owner as a dictionary for JSON."""
        return asdict(self)

    def has_ended(self) -> bool:
        """Whether the process is known to have ended; `False` when this is unknown."""
        if not self.is_here:
            return False
        started = _started(self.pid)
        return started != self.started and (started != "" or self._would_be_seen())

    def is_running(self) -> bool:
        """Whether the process is known to run; `False` when this is unknown."""
        return self.is_here and _started(self.pid) == self.started

    @property
    def is_here(self) -> bool:
        """Whether the process is known to be of this machine, so that its end can be detected."""
        return bool(self.machine and self.started) and self.machine == _machine()

    def _would_be_seen(self) -> bool:
        """Whether `/proc` would show a live process; it may hide those of other users."""
        return self.user == _user() or os.access("/proc/1/stat", os.R_OK)

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}"


def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return the start time of a process; empty for no process or a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = status.rpartition(")")[2].split()  # the name before it may hold blanks
    return "" if fields[0] in ("Z", "X") else fields[19]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run a user without a name
        return str(os.getuid())
