"""Counts the bytes that a process has sent over TCP, with `ss` of iproute2. Linux."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

# Local and remote address → bytes sent, for each open connection.
Connections = Mapping[tuple[str, str], int]

_SENT = re.compile(r"\bbytes_sent:(\d+)")


def connections(process: int) -> Connections:
    """Return the bytes that each open connection of a process has sent."""
    command = ["ss", "--tcp", "--info", "--numeric", "--processes", "--no-header"]
    shown = subprocess.run(
        [*command, "state", "established"], capture_output=True, text=True, check=True
    )
    lines = iter(shown.stdout.splitlines())
    found = {}
    for addresses, facts in zip(lines, lines, strict=True):  # two lines for each connection
        if f",pid={process}," in addresses:
            local, remote = addresses.split()[2:4]
            sent = _SENT.search(facts)
            found[local, remote] = int(sent.group(1)) if sent else 0
    return found


def sent_since(before: Connections, process: int) -> int:
    """Return the bytes that the open connections of a process have sent since `before`."""
    return sum(sent - before.get(key, 0) for key, sent in connections(process).items())
