"""Finishes or removes the work of dead jobs beside an output. Driver, with the lock held.

If there is a journal, its files are published, and a record marks the job as done. Parts and groups
of the same job are kept. Everything else is removed.

Invariants: the folder of a dead run is renamed before any file in it is used (step `take`). This
rename is the fence: a paused owner uses the old name, so all its later operations fail. A folder is
renamed to a trash folder before it is deleted, so that no other run takes it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from tfspark.errors import OutputExistsError
from tfspark.scoring.output.apply import Applier, NoTables, Tables
from tfspark.scoring.output.foreign_record import read_record
from tfspark.scoring.output.journal import JobKey, Journal
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.places import (
    BEAT,
    DONE,
    FENCED,
    LOCK,
    TABLE,
    TRASH,
    WORK,
    Places,
    generation_of,
)
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)

# No run is paused longer than a day, so its `fenced-` file is removed after a day.
_FENCED_MS = 24 * 3600 * 1000


@dataclass
class Recovery:
    """Recovers one output.

    Attributes:
        lock: The lock; the run that recovers holds it.
        digest: Digest of the job whose parts are kept; empty to keep none.
        tables: The catalog of tables.
        published: The journals whose files were published.
        keeps: Whether parts were kept; they are in the folder of the run.
        removed: Whether the unfinished work of another job was removed.
    """

    lock: Lock
    digest: str = ""
    tables: Tables = field(default_factory=NoTables)
    published: list[Journal] = field(default_factory=list, init=False)
    keeps: bool = field(default=False, init=False)
    removed: bool = field(default=False, init=False)

    @property
    def _store(self) -> Store:
        return self.lock.store

    @property
    def _places(self) -> Places:
        return self.lock.places

    def run(self) -> None:
        """Recover all folders, then remove other files of dead runs."""
        mine = self._places.work(self.lock.run)
        names = self._store.names(self._places.hidden)
        folders = [f"{self._places.hidden}/{name}" for name in names if name.startswith(WORK)]
        if len(folders) > 1:  # an owner woke up and made its folder again; decisions come first
            folders.sort(key=lambda folder: not self._store.exists(f"{folder}/journal"))
        for folder in folders:
            self._take(folder, mine)
        self._sweep()

    def _take(self, folder: str, mine: str) -> None:
        """Rename a folder to the folder of this run; then publish, keep or remove its content."""
        if self._store.is_atomic:
            if self.keeps:
                self._drop(folder)
                return
            try:
                self._store.rename(folder, mine)
            except FileNotFoundError:  # its owner woke up and removed it
                return
            folder = mine
        applier = Applier(self._store, self._places, folder, self.tables)
        journal = applier.journal()
        if journal is not None:
            self._roll_forward(applier, journal)
        elif self._store.is_atomic and self._store.read(f"{folder}/job") == self.digest:
            self.keeps = True
            return
        else:
            self.removed = True
            self._forget(JobKey(self._store.read(f"{folder}/job") or ""))
        self._drop(folder)

    def _roll_forward(self, applier: Applier, journal: Journal) -> None:
        try:
            applier.apply(journal)
        except OutputExistsError as error:
            _log.warning(
                "run %s decided to publish its rows, but they cannot be published: %s",
                journal.run,
                error,
            )
            return
        applier.mark(journal)
        if journal.owner.has_ended():  # a paused owner reads the record when it wakes up
            self._forget(journal.job)
        self.published.append(journal)
        _log.warning(
            "run %s ended before it had reported: its %s files are now published in %s",
            journal.run,
            len(journal.add),
            self._places.output,
        )

    def _forget(self, job: JobKey) -> None:
        """Delete the record of a job that no later run can repeat."""
        if job.is_of_one_run:
            self._store.delete(self._places.done(job.name))

    def _drop(self, folder: str) -> None:
        drop(self._store, folder, self._places.trash(self.lock.run), self.tables)

    def _sweep(self) -> None:
        """Remove the files of runs that ended or lost the lock; keep records."""
        for name in self._store.names(self._places.hidden):
            path = f"{self._places.hidden}/{name}"
            if name.startswith((WORK, DONE)) or self.lock.run in name:
                continue
            generation = generation_of(name)
            if name.startswith(LOCK) and (generation or 0) >= self.lock.generation:
                continue
            if name.startswith(FENCED) and not self._is_over(path):
                continue
            if name.startswith(BEAT) and not self.lock.is_silent(path):
                continue  # a live run waits for the lock
            if name.startswith((LOCK, BEAT, TRASH, FENCED, ".")):
                self._store.delete(path)

    def _is_over(self, fenced: str) -> bool:
        since = self._store.modified(fenced)
        now = self._store.modified(self._places.beat(self.lock.run))
        return since is not None and now is not None and now - since > _FENCED_MS


def drop(store: Store, folder: str, trash: str, tables: Tables) -> None:
    """Rename the folder of a run to a trash folder, then delete it.

    If the folder holds the files of a table, the table is dropped first.
    """
    table = store.read(f"{folder}/{TABLE}")
    if table is not None:
        tables.drop(table)
    if not store.is_atomic:
        store.delete(folder)
        return
    store.delete(trash)
    try:
        store.rename(folder, trash)
    except FileNotFoundError:
        return
    store.delete(trash)


def done_record(store: Store, places: Places, key: str) -> Journal | None:
    """Return the record that a job is done; `None` when there is none."""
    return read_record(store, places.done(key), Journal.of)
