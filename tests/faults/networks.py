"""A network of two hosts on this machine that can be cut; needs permission to create it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Network:
    """This machine, and a network namespace.

    Attributes:
        here: The address of this machine.
        there: The address in the namespace.
        name: The name of the namespace, and of this end of the link.
    """

    here: str
    there: str
    name: str

    @property
    def within(self) -> list[str]:
        """The command that runs a program in the namespace."""
        return ["ip", "netns", "exec", self.name]

    def pull(self) -> None:
        """Cut the connection."""
        assert _ip("link", "set", self.name, "down")

    def plug(self) -> None:
        """Restore the connection."""
        assert _ip("link", "set", self.name, "up")


@contextmanager
def network() -> Iterator[Network]:
    """Make a network; skip the test if this is not permitted."""
    name = f"tfs{os.getpid()}"
    made = Network("10.213.77.1", "10.213.77.2", name)
    inside, end = ("-netns", name), f"{name}b"
    steps = [
        ("netns", "add", name),
        ("link", "add", name, "type", "veth", "peer", "name", end, "netns", name),
        ("addr", "add", f"{made.here}/30", "dev", name),
        ("link", "set", name, "up"),
        (*inside, "addr", "add", f"{made.there}/30", "dev", end),
        (*inside, "link", "set", end, "up"),
        (*inside, "link", "set", "lo", "up"),
    ]
    try:
        if not all(_ip(*step) for step in steps):
            pytest.skip("this user cannot make a network namespace")
        yield made
    finally:
        _ip("link", "delete", name)
        _ip("netns", "delete", name)


def _ip(*words: str) -> bool:
    try:
        return subprocess.run(["ip", *words], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
