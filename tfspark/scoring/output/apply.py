"""Applies a journal: publishes its files, in steps that any run can repeat. Driver.

Each step is one operation, with its source or target in the folder of the run that applies the
journal. When another run takes that folder, all later steps fail with `FileNotFoundError`.
Published files are never published again or removed. Steps have the names of
`tests/faults/commit_model.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tfspark.errors import OutputBusyError, OutputExistsError, explain
from tfspark.scoring.output.foreign_record import read_record
from tfspark.scoring.output.journal import PARTITIONS, Journal, Mode, TableRecord
from tfspark.scoring.output.places import SUCCESS, Places
from tfspark.scoring.output.store import Store

# Limit for steps that have no effect. Only a file system with contradictory answers reaches it.
_PATIENCE = 5


class LockLostError(OutputBusyError):
    """The run was paused for so long that another run took over."""


class FileInTheWayError(OutputBusyError):
    """Some rows are published, but a file of another program blocks the rest."""


class Tables(Protocol):
    """The catalog of the tables whose files are committed."""

    def show(self, table: TableRecord, mode: Mode) -> None:
        """Update the catalog to the files in the folder of a table; can be repeated.

        Raises:
            OutputExistsError: Another program created, moved or dropped the table.
        """

    def drop(self, name: str) -> None:
        """Drop a table, but not its files; do nothing when it does not exist."""


class NoTables:
    """Refuses tables, for a caller without a catalog, which can recover only plain folders."""

    def show(self, table: TableRecord, mode: Mode) -> None:  # noqa: ARG002
        """See `Tables.show`."""
        raise self._refusal(table.name)

    def drop(self, name: str) -> None:
        """See `Tables.drop`."""
        raise self._refusal(name)

    def _refusal(self, name: str) -> OutputBusyError:
        return OutputBusyError(
            explain(
                f"A job into the table {name} is unfinished, and its files are beside the output.",
                hint="run it again in a session whose catalog has the table.",
            )
        )


@dataclass(frozen=True)
class Applier:
    """Applies the journal in one folder.

    Attributes:
        store: The file system.
        places: The names of the output.
        work: The folder of the run that applies the journal.
        tables: The catalog of tables.
    """

    store: Store
    places: Places
    work: str
    tables: Tables = field(default_factory=NoTables)

    def journal(self) -> Journal | None:
        """Return the journal in the folder; `None` when there is none."""
        return read_record(self.store, f"{self.work}/journal", Journal.of)

    def apply(self, journal: Journal) -> None:
        """Publish the files of the journal; continue where another run stopped.

        Raises:
            LockLostError: Another run took the folder.
            FileInTheWayError: Another program created a file with the name of a new file.
            OutputExistsError: Another program created an output that must not exist.
        """
        self._show_files(journal)
        if journal.table is None:
            return
        if not self.store.exists(f"{self.work}/journal"):
            raise self._lost("its folder is gone")
        self.tables.show(journal.table, journal.mode)

    def _show_files(self, journal: Journal) -> None:
        if not self.store.is_atomic:
            self._retire_names(journal)
            self._add_all(journal)
            return
        for _ in range(_PATIENCE):
            step = self._compare(journal)
            if step is None:
                return
            try:
                step()
            except (FileNotFoundError, FileExistsError):
                continue  # `_compare` finds the reason
        raise self._lost("the file system gives contradictory answers")

    def mark(self, journal: Journal) -> None:
        """Rename the journal to the record that its job is done.

        Raises:
            LockLostError: Another run took the folder.
        """
        mine, done = f"{self.work}/journal", self.places.done(journal.job.name)
        try:
            try:
                self.store.rename(mine, done)
            except FileExistsError:  # an earlier run of the job left it
                self.store.delete(done)
                self.store.rename(mine, done)
        except FileNotFoundError as error:
            raise self._lost("its folder is gone") from error

    def _compare(self, journal: Journal) -> Callable[[], None] | None:
        """Compare the files with the journal; return the next step, `None` after the last."""
        new, output = f"{self.work}/new", self.places.output
        if not self.store.exists(f"{self.work}/journal"):
            raise self._lost("its folder is gone")
        if not self.store.exists(new) or self._is_replaced(journal):
            return None
        if not self.store.exists(output):
            return lambda: self.store.rename(new, output)  # show
        if journal.mode == "append":
            self._add_all(journal)
            return None
        if journal.mode == PARTITIONS:
            for folder, first in journal.partitions.items():
                self._replace_partition(journal, folder, first)
            return None
        if journal.mode == "error":
            raise OutputExistsError(_in_the_way(output))
        return lambda: self._replace(journal, new, output)

    def _is_replaced(self, journal: Journal) -> bool:
        """Whether the folders were exchanged, so that `new` contains the replaced rows.

        Replaced rows must never be published again, even if another program has since removed the
        output. A reboot may change device numbers, so a missing new file is a sign as well. Without
        rows and with partitions, only `_SUCCESS` is new, and the old output may have it too. Then
        the inode shows it.
        """
        if journal.mode != "overwrite":
            return False
        if journal.folder and self.store.identity(self.places.output) == journal.folder:
            return True
        new = f"{self.work}/new"
        for name in journal.add:
            if name != SUCCESS:
                return not self.store.exists(f"{new}/{name}")
        return bool(journal.folder) and _inode(self.store.identity(new)) != _inode(journal.folder)

    def _replace_partition(self, journal: Journal, folder: str, first: str) -> None:
        """Replace the folder of a partition. Without its first new file, it was replaced before."""
        new, output = f"{self.work}/new/{folder}", f"{self.places.output}/{folder}"
        for _ in range(_PATIENCE):
            if not self.store.exists(f"{self.work}/journal"):
                raise self._lost("its folder is gone")
            if not self.store.exists(f"{new}/{first}"):
                return
            try:
                if self.store.exists(output):
                    self._replace(journal, new, output)
                else:
                    self.store.make(output.rpartition("/")[0])
                    self.store.rename(new, output)
            except (FileNotFoundError, FileExistsError):
                continue  # the next comparison finds the reason
        raise self._lost("the file system gives contradictory answers")

    def _replace(self, journal: Journal, new: str, output: str) -> None:
        """Exchange the folders, or move the old one away; then no output exists until `show`."""
        if journal.folder and self.store.exchange(new, output):
            return
        taken = {name for name in self.store.names(self.work) if name.startswith("old")}
        free = next(
            name for name in map("old-{}".format, range(len(taken) + 1)) if name not in taken
        )
        self.store.rename(output, f"{self.work}/{free}")

    def _add_all(self, journal: Journal) -> None:
        made: set[str] = set()
        for name in journal.add:
            folder = f"{self.places.output}/{name}".rpartition("/")[0]
            if folder not in made:
                self.store.make(folder)
                made.add(folder)
            self._add(name)

    def _add(self, name: str) -> None:
        """Move one file. If it is missing, it was moved before."""
        source, target = f"{self.work}/new/{name}", f"{self.places.output}/{name}"
        try:
            self.store.rename(source, target)
        except FileNotFoundError:
            if not self.store.exists(f"{self.work}/journal"):
                raise self._lost("its folder is gone") from None
            if self.store.exists(source):
                raise
        except FileExistsError:
            if name == SUCCESS:  # an empty file; another program created it too
                self.store.delete(source)
                return
            if self.store.is_atomic:
                raise FileInTheWayError(_in_the_way(target)) from None
            self.store.delete(target)  # an interrupted copy
            self.store.rename(source, target)

    def _retire_names(self, journal: Journal) -> None:
        for name in journal.retire:
            self.store.delete(f"{self.places.output}/{name}")

    def _lost(self, found: str) -> LockLostError:
        return LockLostError(
            explain(
                f"This run lost the lock of {self.places.output} while it was paused.",
                found=found,
                hint="run the same command again; it detects whether the rows are published.",
            )
        )


def _inode(identity: str) -> str:
    """Return the part of an identity that stays after a reboot."""
    return identity.rpartition(":")[2]


def _in_the_way(path: str) -> str:
    return explain(
        f"{path} was created by another program while the job held the lock.",
        expected="nothing there",
        hint="move it away, and run the same command again.",
    )
