"""The file names of the commit, in the hidden folder beside an output. Driver.

README.md in this folder describes every file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

LOCK, BEAT, WORK, TRASH, DONE, FENCED = "lock-", "beat-", "work-", "trash-", "done-", "fenced-"
# In the folder of a run: the name of the table whose files Spark writes there.
TABLE = "table"
# The empty file by which Spark marks a folder as whole.
SUCCESS = "_SUCCESS"


@dataclass(frozen=True)
class Places:
    """The paths of one output, in the form that its store takes.

    Attributes:
        output: The folder of the published files.
    """

    output: str

    @property
    def hidden(self) -> str:
        """The hidden folder beside the output, which holds all other files."""
        parent, _, name = self.output.rpartition("/")
        return f"{parent}/.{name}.tfspark"

    def lock(self, generation: int) -> str:
        """Return the lock of a generation."""
        return f"{self.hidden}/{LOCK}{generation}"

    def beat(self, run: str) -> str:
        """Return the heartbeat of a run."""
        return f"{self.hidden}/{BEAT}{run}"

    def fenced(self, generation: int, run: str) -> str:
        """Return the mark of a run that lost its lock and may wake up."""
        return f"{self.hidden}/{FENCED}{generation}-{run}"

    def work(self, run: str) -> str:
        """Return the folder of a run. Every file that it publishes passes through this folder."""
        return f"{self.hidden}/{WORK}{run}"

    def trash(self, run: str) -> str:
        """Return the folder that a run is about to delete."""
        return f"{self.hidden}/{TRASH}{run}"

    def done(self, job: str) -> str:
        """Return the record that a job is done; `job` is the name in its `JobKey`."""
        text = job.encode("utf-8", "surrogateescape")  # as a shell passed it
        return f"{self.hidden}/{DONE}{hashlib.sha256(text).hexdigest()[:32]}"


def lock_generation(name: str) -> int | None:
    """Return the generation in the name of a lock; `None` for others, such as a user's backup."""
    number = name[len(LOCK) :]
    return int(number) if name.startswith(LOCK) and number.isdecimal() else None


def generation_of(name: str) -> int | None:
    """Return the generation in the name of a lock or a fence; `None` for other names."""
    number = name[len(FENCED) :].partition("-")[0]
    if name.startswith(FENCED) and number.isdecimal():
        return int(number)
    return lock_generation(name)
