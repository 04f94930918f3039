"""Describes who can change a folder. Driver."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Access:
    """Who can change a folder.

    Attributes:
        owner: Its owner: a number on this machine, a name on HDFS.
        mode: Its permission bits, as in POSIX.
        is_link: Whether the path is a link; the other attributes are those of its target.
    """

    owner: str
    mode: int
    is_link: bool = False
