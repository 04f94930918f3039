"""The records of a stream: which version scored each micro-batch, and refused versions. Driver.

They are in `<checkpoint>/tfspark/`, which Spark does not use, so a copied or deleted checkpoint is
copied or deleted with them. Each record is one file that is created atomically with its whole
content, and never changed.

| name | content |
|---|---|
| `batch-<number>` | JSON `{"version", "digest"}`, created before the rows are written |
| `refused-<version>-<hash>` | JSON `{"version", "batch", "reason"}`; one file for each reason |
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass

from tfspark.scoring.output.store import Store

_BATCH, _REFUSED = "batch-", "refused-"
# Spark's own default for the micro-batches that it can recover.
KEPT = 100


@dataclass(frozen=True)
class Scored:
    """The model that scores a micro-batch.

    Attributes:
        version: Its version.
        digest: Its digest.
    """

    version: int
    digest: str


@dataclass(frozen=True)
class Refusal:
    """A version that was refused.

    Attributes:
        version: The version.
        batch: The micro-batch at which it was first refused.
        reason: The message of the error.
    """

    version: int
    batch: int
    reason: str


@dataclass(frozen=True)
class Records:
    """The records of one stream.

    Attributes:
        store: The file system of the checkpoint.
        folder: The folder of the records.
    """

    store: Store
    folder: str

    def of(self, batch: int) -> Scored | None:
        """Return the record of a micro-batch; `None` when it has not run before."""
        text = self.store.read(f"{self.folder}/{_BATCH}{batch}")
        return None if text is None else Scored(**json.loads(text))

    def last(self) -> Scored | None:
        """Return the record of the last micro-batch; `None` when there is none."""
        batches = self._batches()
        return self.of(max(batches)) if batches else None

    def add(self, batch: int, scored: Scored) -> Scored:
        """Record the model of a micro-batch; return the record that is there."""
        self.store.make(self.folder)
        with suppress(FileExistsError):  # another process runs the same stream
            self.store.create(f"{self.folder}/{_BATCH}{batch}", json.dumps(asdict(scored)))
        return self.of(batch) or scored

    def refuse(self, refusal: Refusal) -> bool:
        """Record a refused version; return whether the reason is new."""
        reason = hashlib.sha256(refusal.reason.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        self.store.make(self.folder)
        try:
            name = f"{_REFUSED}{refusal.version}-{reason}"
            self.store.create(f"{self.folder}/{name}", json.dumps(asdict(refusal)))
        except FileExistsError:
            return False
        return True

    def refusals(self) -> list[Refusal]:
        """Return all refused versions, in the order of the micro-batches."""
        names = [name for name in self.store.names(self.folder) if name.startswith(_REFUSED)]
        texts = [self.store.read(f"{self.folder}/{name}") for name in names]
        found = [Refusal(**json.loads(text)) for text in texts if text is not None]
        return sorted(found, key=lambda refusal: (refusal.batch, refusal.version))

    def forget(self, batch: int) -> None:
        """Delete the record of a micro-batch that Spark cannot replay any more."""
        self.store.delete(f"{self.folder}/{_BATCH}{batch}")

    def _batches(self) -> list[int]:
        numbers = [
            name.removeprefix(_BATCH)
            for name in self.store.names(self.folder)
            if name.startswith(_BATCH)
        ]
        return [int(number) for number in numbers if number.isdecimal()]
