"""Finishes or removes what dead jobs left beside an output. Driver, with the lock held.

A journal is rolled forward: its rows are shown, and a record tells its job so. The counted parts of
the same job are kept. Everything else is removed.

Invariants: the folder of a dead run is renamed before anything in it is used (step `take`). That
one rename is the fence: all that a paused owner may still do goes through the old name, and fails.
Nothing is deleted under a name that another run may take; it is renamed to a trash folder first.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from tfspark.errors import OutputExistsError
from tfspark.scoring.output.apply import Applier, NoTables, Tables
from tfspark.scoring.output.journal import Journal
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

# Nobody sleeps that long: a note that a run may wake up is removed after a day.
_FENCED_MS = 24 * 3600 * 1000


@dataclass
class Recovery:
    """Recovers one output.

    Attributes:
        lock: Held by the run that recovers.
        digest: Of the job whose counted parts are kept; empty to keep none.
        tables: The catalog of tables.
        published: The journals that were rolled forward.
        keeps: Whether parts were kept, in the folder of the run.
        removed: Whether work of another job, or of another input, was removed.
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
        """Recover what there is."""
        mine = self._places.work(self.lock.run)
        names = self._store.names(self._places.hidden)
        folders = [f"{self._places.hidden}/{name}" for name in names if name.startswith(WORK)]
        if len(folders) > 1:  # an owner that woke up made its own again: decisions come first
            folders.sort(key=lambda folder: not self._store.exists(f"{folder}/journal"))
        for folder in folders:
            self._take(folder, mine)
        self._sweep()

    def _take(self, folder: str, mine: str) -> None:
        """Make a folder ours, and decide about it."""
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
        self.published.append(journal)
        _log.warning(
            "run %s ended before it had reported: its %s files are now published in %s",
            journal.run,
            len(journal.add),
            self._places.output,
        )

    def _drop(self, folder: str) -> None:
        drop(self._store, folder, self._places.trash(self.lock.run), self.tables)

    def _sweep(self) -> None:
        """Remove what runs that ended or lost have left, and no record."""
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
                continue  # of a run that wants the lock
            if name.startswith((LOCK, BEAT, TRASH, FENCED, ".")):
                self._store.delete(path)

    def _is_over(self, fenced: str) -> bool:
        since = self._store.modified(fenced)
        now = self._store.modified(self._places.beat(self.lock.run))
        return since is not None and now is not None and now - since > _FENCED_MS


def drop(store: Store, folder: str, trash: str, tables: Tables) -> None:
    """Rename the folder of a run out of the reach of other runs, then delete it.

    A table in the catalog that has its files in the folder is dropped first.
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


def is_done_for(store: Store, places: Places, key: str) -> Journal | None:
    """Return the record that a job is done; `None` when there is none."""
    text = store.read(places.done(key))
    return None if text is None else Journal.of(text)
