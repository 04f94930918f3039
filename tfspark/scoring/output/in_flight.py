"""Notes in the properties of a table which jobs are about to write it. Driver.

A table with a history says whether a commit is there, but not whether its job could still say so. A
job therefore notes itself before it writes, and removes the note after it has reported. The same
command finds the note of a job that was killed, and with it the commit to look for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from tfspark.scoring.output.journal import JobKey
from tfspark.scoring.output.owner import Owner

PREFIX = "tfspark.job."


@dataclass(frozen=True)
class InFlight:
    """A job that has noted itself.

    Attributes:
        commit: Identifies its commit.
        owner: Its process; `None` when the job was interrupted after its commit.
    """

    commit: str
    owner: Owner | None

    @classmethod
    def of(cls, text: str) -> InFlight:
        """Return the job of a property's value."""
        record = json.loads(bytes.fromhex(text))
        owner = record["owner"]
        return cls(record["commit"], None if owner is None else Owner.of(owner))

    def to_text(self) -> str:
        """Return the value of the property; Spark would mask a value with a word such as token."""
        owner = None if self.owner is None else self.owner.as_record()
        record = {"commit": self.commit, "owner": owner}
        return json.dumps(record).encode().hex()

    @property
    def is_at_work(self) -> bool:
        """Whether its process is known to live; on another machine that cannot be known."""
        if self.owner is None:
            return False
        is_here = self.owner.machine == Owner.this_process().machine
        return is_here and not self.owner.has_ended()


def property_of(job: JobKey) -> str:
    """Return the name of the property that notes a job."""
    return PREFIX + short(job.name)


def short(text: str) -> str:
    """Return a short digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
