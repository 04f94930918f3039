"""The commit of one run: lock, recover, stage, decide, apply, acknowledge. Driver.

A run that is killed before any operation leaves a state from which the same command, run again,
gives exactly the rows of one clean run. `tests/faults/commit_model.py` has the same order of
operations; a test checks all its interleavings of two jobs.

Invariants: only files that the journal names are published. The last operation of a run deletes the
record that the job is done (`acknowledge`); before that, the same command finds the record and does
not run the job again. The commit survives killed processes, but not a power failure, because files
are not forced to disk.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tfspark.errors import OutputBusyError, OutputExistsError, explain
from tfspark.file_systems import is_hidden
from tfspark.scoring.output.apply import Applier, LockLostError, NoTables, Tables
from tfspark.scoring.output.foreign_record import read_record
from tfspark.scoring.output.journal import PARTITIONS, JobKey, Journal, Mode, TableRecord
from tfspark.scoring.output.lock import Holder, Lock
from tfspark.scoring.output.places import DONE, SUCCESS
from tfspark.scoring.output.recovery import Recovery, done_record, drop
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)


@dataclass
class Commit:
    """The commit of one run to one output.

    Attributes:
        lock: The lock of the run.
        tables: The catalog of tables.
        job: Identifies the job of the run; set by `begin`.
        keeps: Whether the folder has parts of an earlier run of the same job; set by `begin`.
        recovered: The names of the jobs whose files `begin` published.
    """

    lock: Lock
    tables: Tables = field(default_factory=NoTables)
    job: JobKey = field(default_factory=lambda: JobKey(""), init=False)
    keeps: bool = field(default=False, init=False)
    recovered: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._applier = Applier(self._store, self.lock.places, self.work, self.tables)

    @property
    def _store(self) -> Store:
        return self.lock.store

    @property
    def work(self) -> str:
        """The folder of the run; its subfolders `attempts`, `spark` and `new` hold files."""
        return self.lock.places.work(self.lock.run)

    @property
    def has_leftover(self) -> bool:
        """Whether another job is working, or a dead job left files."""
        return self._store.exists(self.lock.places.hidden)

    @property
    def is_decided(self) -> bool:
        """Whether the rows of this job are published, or the next start will publish them."""
        return self._store.exists(f"{self.work}/journal") or self.record is not None

    @property
    def record(self) -> Journal | None:
        """The record that this job is done; `None` when there is none."""
        return done_record(self._store, self.lock.places, self.job.name)

    def records(self) -> list[Journal]:
        """Return the records of all jobs that are done."""
        hidden = self.lock.places.hidden
        names = [name for name in self._store.names(hidden) if name.startswith(DONE)]
        found = [read_record(self._store, f"{hidden}/{name}", Journal.of) for name in names]
        return [record for record in found if record is not None]

    def has_published(self, job: JobKey) -> bool:
        """Whether an earlier run of a job has published its files; called after `begin`."""
        there = done_record(self._store, self.lock.places, job.name)
        return there is not None or job.name in self.recovered

    def forget(self, job: JobKey | None = None) -> None:
        """Delete the record of rows that were withdrawn; by default, of this job."""
        self._store.delete(self.lock.places.done((job or self.job).name))

    def begin(self, job: JobKey) -> Journal | None:
        """Get the lock, and finish or remove the work of dead jobs.

        Returns:
            The record of this job if it is done. Only `acknowledge` is then left to call.

        Raises:
            OutputBusyError: A live job has the lock.
        """
        self.job = job
        self.lock.acquire()
        recovery = Recovery(self.lock, job.digest, self.tables)
        recovery.run()
        self.keeps = recovery.keeps
        self.recovered = {journal.job.name for journal in recovery.published}
        if recovery.removed and not recovery.keeps:
            _log.info(
                "this job starts from scratch, because an unfinished job had another input, model "
                "or setting, or an input without a version; its parts were removed"
            )
        return self._done()

    def _done(self) -> Journal | None:
        """Return the record of this job. Without a run id, it counts only if its files exist."""
        done, output = self.record, self.lock.places.output
        if done is None:
            return None
        if not self.job.run_id:
            self._refuse_while_alive(done)
        if self._store.exists(output) if self.job.run_id else self._has_files(done):
            return done
        gone = "run %s wrote files to %s that do not exist now: %s"
        if self.job.run_id:
            _log.warning(gone, done.run, output, "choose another run id")
            return done
        _log.warning(gone, done.run, output, "the job is run again")
        self.forget()
        return None

    def _has_files(self, done: Journal) -> bool:
        """Whether a record has files in the output; after an overwrite by others, it has none."""
        output = self.lock.places.output
        names = [name for name in done.add if name != SUCCESS]
        paths = [f"{output}/{name}" for name in names] or [output]
        return any(map(self._store.exists, paths))

    def _refuse_while_alive(self, done: Journal) -> None:
        """Refuse to continue while the run that published this job has not reported yet."""
        writer = Holder(done.run, done.owner)
        if done.run == self.lock.run or not self.lock.is_alive_after_wait(writer):
            return
        self.abandon()
        raise OutputBusyError(
            explain(
                f"Another run of the same job has just written to {self.lock.places.output}.",
                found=f"run {done.run}, {done.owner}",
                hint="run the command again.",
            )
        )

    def open_work(self) -> None:
        """Make the folder of the run."""
        self._store.make(self.work)
        self._store.delete(f"{self.work}/job")
        self._store.create(f"{self.work}/job", self.job.digest)

    def take_back(self, folder: str | None) -> None:
        """Move the counted files of an earlier run to a folder, or delete them."""
        for name in self._store.names(f"{self.work}/new"):
            if folder is not None and not is_hidden(name):
                self._store.rename(f"{self.work}/new/{name}", f"{folder}/{name}")
        self._store.delete(f"{self.work}/new")

    def mark_whole(self) -> str:
        """Add the file that marks a complete folder, as Spark does; return its name."""
        try:
            with suppress(FileExistsError):  # the job was stopped here before
                self._store.create(f"{self.work}/new/{SUCCESS}", "")
        except FileNotFoundError as error:
            raise self.lost("its folder is gone") from error
        return SUCCESS

    def publish(
        self,
        mode: Mode,
        add: Sequence[str],
        report: Mapping[str, Any],
        table: TableRecord | None = None,
    ) -> None:
        """Decide, then publish the files in `new`; for a table, update the catalog too.

        Raises:
            LockLostError: Another run took over and has not published the rows of this run.
            OutputExistsError: Another program created an output that must not exist.
        """
        journal = self._decide(self._journal(mode, add, report, table))
        try:
            self._applier.apply(journal)
            self._applier.mark(journal)
        except OutputExistsError:
            if mode == "error":  # nothing is published; no later run may publish it
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
        retire = list[str]()
        replaces = mode in ("overwrite", PARTITIONS)
        if replaces and not self._store.is_atomic:
            retire = self._others(add, whole=mode == "overwrite")
        folder = self._store.identity(f"{self.work}/new") if replaces else ""
        return Journal(
            mode=mode,
            run=self.lock.run,
            job=self.job,
            owner=self.lock.owner,
            add=add,
            retire=retire,
            folder=folder,
            report=report,
            table=table,
        )

    def _others(self, add: Sequence[str], *, whole: bool) -> list[str]:
        """Return the names in the output that are not added, without the folders of added files.

        These names are deleted before files are added, and both are repeated after a kill.

        Args:
            add: The files that are added.
            whole: Whether the output is replaced, and not only the folders of added files.
        """
        output, folders = self.lock.places.output, {""} if whole else set[str]()
        for name in add:
            while name := name.rpartition("/")[0]:
                folders.add(name)
                if not whole:
                    break
        stay = {*add, *folders}
        names = (
            f"{folder}/{name}".lstrip("/")
            for folder in sorted(folders)
            for name in self._store.names(f"{output}/{folder}".rstrip("/"))
        )
        return [name for name in names if name not in stay]

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
        """Return the error for a run that was paused for too long."""
        return LockLostError(
            explain(
                f"This run lost the lock of {self.lock.places.output} while it was paused; "
                "it published nothing.",
                found=found,
                hint="run the same command again.",
            )
        )

    def acknowledge(self) -> None:
        """End the run after it has reported. From now on, the same command is a new job."""
        try:
            if self.job.is_of_one_run:
                self.forget()  # before the folder, which names the record to a recovery
            self._drop_work()
        except Exception:  # not after an interrupt, which ends the process and its lock
            self.lock.release()  # otherwise a process that lives on keeps it
            raise
        self.lock.release(*([] if self.job.run_id else [self.lock.places.done(self.job.name)]))

    def abandon(self) -> None:
        """End a run that publishes nothing, and remove its staged files."""
        try:
            self._drop_work()
        finally:
            self.suspend()

    def suspend(self) -> None:
        """Release the lock, but keep staged files and a decision for the same command."""
        self.lock.release()

    def _drop_work(self) -> None:
        """Remove the folder of the run, unless it holds a decision that was not applied."""
        if not self._store.exists(f"{self.work}/journal"):
            drop(self._store, self.work, self.lock.places.trash(self.lock.run), self.tables)
