"""The commit of one run: lock, recover, stage, decide, apply, acknowledge. Driver.

A run that is killed before any operation leaves a state from which the same command, run again,
gives exactly the rows of one clean run. The order of the operations is that of
`tests/faults/commit_model.py`, whose every interleaving of two jobs is checked.

Invariants: nothing is shown that the journal does not name. The last operation of a run deletes the
record that it is done (`acknowledge`); until then the same job is found done and not run again.
Killed processes are survived; a power failure is not, since files are not forced to disk.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfspark.errors import OutputBusyError, OutputExistsError, explain
from tfspark.scoring.output.apply import Applier, LockLostError, NoTables, Tables
from tfspark.scoring.output.journal import JobKey, Journal, Mode, TableRecord
from tfspark.scoring.output.lock import Holder, Lock
from tfspark.scoring.output.recover import Recovery, drop, is_done_for
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)


@dataclass
class Commit:
    """The commit of one run to one output.

    Attributes:
        lock: Of the run.
        tables: The catalog of tables.
        job: What the run does; set by `begin`.
        keeps: Whether parts of an earlier run of the same job are in the folder; set by `begin`.
    """

    lock: Lock
    tables: Tables = field(default_factory=NoTables)
    job: JobKey = field(default_factory=lambda: JobKey(""), init=False)
    keeps: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._applier = Applier(self._store, self.lock.places, self.work, self.tables)

    @property
    def _store(self) -> Store:
        return self.lock.store

    @property
    def work(self) -> str:
        """The folder of the run; `attempts`, `spark` and `new` in it hold files."""
        return self.lock.places.work(self.lock.run)

    @property
    def has_leftover(self) -> bool:
        """Whether another job is at work, or one has left something."""
        return self._store.exists(self.lock.places.hidden)

    @property
    def is_decided(self) -> bool:
        """Whether the rows of this job are published, or will be by the next start."""
        return self._store.exists(f"{self.work}/journal") or self.record is not None

    @property
    def record(self) -> Journal | None:
        """The record that this job is done; `None` when there is none."""
        return is_done_for(self._store, self.lock.places, self.job.name)

    def forget(self) -> None:
        """Delete the record of rows that were taken back."""
        self._store.delete(self.lock.places.done(self.job.name))

    def begin(self, job: JobKey) -> Journal | None:
        """Get the lock, and finish or remove what dead jobs left.

        Returns:
            The record of this very job when it is done: then `acknowledge` is all that is left.

        Raises:
            OutputBusyError: A live job has the lock.
        """
        self.job = job
        self.lock.acquire()
        recovery = Recovery(self.lock, job.digest, self.tables)
        recovery.run()
        self.keeps = recovery.keeps
        if recovery.removed and not recovery.keeps:
            _log.info(
                "starts from scratch: an unfinished job had another input, model or setting, and "
                "its parts were removed"
            )
        done = self.record
        if done is not None and not job.run_id:
            self._refuse_while_alive(done)
        return done

    def _refuse_while_alive(self, done: Journal) -> None:
        """Refuse to go on while the run that finished this job still has to report it."""
        if done.run == self.lock.run or not self.lock.is_alive(Holder(done.run, done.owner)):
            return
        self.abandon()
        raise OutputBusyError(
            explain(
                f"The same job has just written to {self.lock.places.output}.",
                found=f"run {done.run}, {done.owner}",
                hint="run the command again.",
            )
        )

    def open_work(self) -> None:
        """Make the folder of the run."""
        self._store.make(self.work)
        self._store.delete(f"{self.work}/job")
        self._store.create(f"{self.work}/job", self.job.digest)

    def publish(
        self,
        mode: Mode,
        add: Sequence[str],
        report: Mapping[str, Any],
        table: TableRecord | None = None,
    ) -> None:
        """Decide, and show the files in `new`; those of a table in its catalog, too.

        Raises:
            LockLostError: Another run took over. When it has published the rows of this run, this
                returns instead.
            OutputExistsError: Somebody else created an output that must not exist.
        """
        journal = self._decide(self._journal(mode, add, report, table))
        try:
            self._applier.apply(journal)
            self._applier.mark(journal)
        except OutputExistsError:
            if mode == "error":  # nothing was shown, and nothing ever will be
                self._store.delete(f"{self.work}/journal")
            raise
        except LockLostError:
            if self.record is None:
                raise
            _log.warning("another run took over and published the rows of this run")

    def _journal(
        self,
        mode: Mode,
        add: Sequence[str],
        report: Mapping[str, Any],
        table: TableRecord | None,
    ) -> Journal:
        output, retire = self.lock.places.output, list[str]()
        if mode == "overwrite" and not self._store.is_atomic:
            retire = [name for name in self._store.names(output) if name not in add]
        folder = self._store.identity(f"{self.work}/new") if mode == "overwrite" else ""
        owner, run = self.lock.owner, self.lock.run
        return Journal(mode, run, self.job, owner, add, retire, folder, report, table)

    def _decide(self, journal: Journal) -> Journal:
        draft = f"{self.work}/draft"
        try:
            self._store.delete(draft)
            self._store.create(draft, journal.to_json())
            if not self.lock.holds():  # step `check`
                raise self.lost("its lock was taken over")
            self._store.rename(draft, f"{self.work}/journal")
        except FileNotFoundError as error:
            raise self.lost("its folder is gone") from error
        return journal

    def lost(self, found: str) -> LockLostError:
        """Return the error of a run that was paused for too long."""
        return LockLostError(
            explain(
                f"This run lost the lock of {self.lock.places.output} while it was paused; "
                "it published nothing.",
                found=found,
                hint="run the same command again.",
            )
        )

    def acknowledge(self) -> None:
        """End the run: what it knows was told, and the same command is a new job from here on."""
        self._drop_work()
        self.lock.release(*([] if self.job.run_id else [self.lock.places.done(self.job.name)]))

    def abandon(self) -> None:
        """End a run that publishes nothing, and remove what it staged."""
        self._drop_work()
        self.suspend()

    def suspend(self) -> None:
        """Give the lock up and keep what was staged, and a decision: the same command goes on."""
        self.lock.release()

    def _drop_work(self) -> None:
        """Remove the folder of the run, unless a decision is in it that was not applied."""
        if not self._store.exists(f"{self.work}/journal"):
            drop(self._store, self.work, self.lock.places.trash(self.lock.run), self.tables)
