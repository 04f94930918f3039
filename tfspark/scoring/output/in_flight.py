"""Notes unfinished jobs in the properties of their output table. Driver.

The history of a table shows whether a commit exists, but not whether its job has reported. So a job
writes a note before it writes rows, and removes the note after its report. If the job was killed,
the same command finds the note. The note names the commit to look for in the history.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from tfspark.scoring.output.foreign_record import as_record, as_text, parsed
from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.owner import Owner

PREFIX = "tfspark.job."


@dataclass(frozen=True)
class InFlight:
    """The note of one job.

    Attributes:
        commit: Identifies its commit.
        owner: Its process; `None` when the job was interrupted after its commit.
    """

    commit: str
    owner: Owner | None

    @classmethod
    def of(cls, text: str) -> InFlight:
        """Return the note in the value of a property.

        Raises:
            OutputBusyError: No job wrote the text.
        """
        what = f"A note in a property {PREFIX}… of the table, or in the table tfspark_runs,"
        return parsed(text, cls._parsed, what)

    @classmethod
    def _parsed(cls, text: str) -> InFlight:
        record = as_record(json.loads(bytes.fromhex(text)))
        owner = record["owner"]
        process = None if owner is None else Owner.of(as_record(owner))
        return cls(as_text(record["commit"]), process)

    def to_text(self) -> str:
        """Return the value of the property in hexadecimal; Spark masks words such as token."""
        owner = None if self.owner is None else self.owner.as_record()
        record = {"commit": self.commit, "owner": owner}
        return json.dumps(record).encode().hex()

    @property
    def is_at_work(self) -> bool:
        """Whether its process runs on this machine.

        `False` for processes of other machines, and where processes cannot be told apart, such as
        on macOS: nobody would see the end of such a process.
        """
        return self.owner is not None and self.owner.is_here and not self.owner.has_ended()


def property_of(job: JobKey) -> str:
    """Return the name of the property that notes a job."""
    return PREFIX + short(job.name)


def short(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
