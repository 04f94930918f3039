"""Applies a journal: shows what it names, in steps that anybody may repeat. Driver.

Each step has its source or its target inside the folder of the run that applies, and does one
operation there. When another run takes that folder, all further steps fail with
`FileNotFoundError`; nothing that was shown is shown again or taken back. Steps have the names of
`tests/faults/commit_model.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from tfspark.errors import OutputBusyError, OutputExistsError, explain
from tfspark.scoring.output.journal import Journal, Mode, TableRecord
from tfspark.scoring.output.places import Places
from tfspark.scoring.output.store import Store

# Repeats of a step without an effect; only a file system that contradicts itself gets there.
_PATIENCE = 5


class LockLostError(OutputBusyError):
    """The run was paused for so long that another one took over."""


class Tables(Protocol):
    """The catalog that knows the tables whose files are committed."""

    def show(self, table: TableRecord, mode: Mode) -> None:
        """Let a table have the files in its folder; may be repeated.

        Raises:
            OutputExistsError: Another program changed the table, so that it cannot be shown.
        """

    def drop(self, name: str) -> None:
        """Drop a table, but not its files; fine when it is not there."""


class NoTables:
    """A caller without a catalog, who can recover nothing but plain folders."""

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
        work: The folder, which belongs to the run that applies.
        tables: The catalog of tables.
    """

    store: Store
    places: Places
    work: str
    tables: Tables = field(default_factory=NoTables)

    def journal(self) -> Journal | None:
        """Return the journal in the folder; `None` when there is none."""
        text = self.store.read(f"{self.work}/journal")
        return None if text is None else Journal.of(text)

    def apply(self, journal: Journal) -> None:
        """Show what the journal names, from wherever another run stopped.

        Raises:
            LockLostError: Another run applies it.
            OutputExistsError: Somebody else created an output that must not exist.
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
                continue  # `compare` finds out why
        raise self._lost("the file system contradicts itself")

    def mark(self, journal: Journal) -> None:
        """Turn the journal into the record that its job is done.

        Raises:
            LockLostError: Another run did.
        """
        done = self.places.done(journal.job.name)
        self.store.delete(done)  # of an earlier run with the same id and other settings
        try:
            self.store.rename(f"{self.work}/journal", done)
        except FileNotFoundError as error:
            raise self._lost("its folder is gone") from error

    def _compare(self, journal: Journal) -> Callable[[], None] | None:
        """Compare what is there with the journal; return the next step, `None` after the last."""
        new, output = f"{self.work}/new", self.places.output
        if not self.store.exists(f"{self.work}/journal"):
            raise self._lost("its folder is gone")
        if not self.store.exists(new):
            return None
        if not self.store.exists(output):
            return lambda: self.store.rename(new, output)  # show
        if journal.mode == "append":
            self._add_all(journal)
            return None
        if journal.folder and self.store.identity(output) == journal.folder:
            return None  # exchanged before
        if journal.mode == "error":
            raise _appeared(output)
        return lambda: self._replace(journal)

    def _replace(self, journal: Journal) -> None:
        """Exchange the folders, or retire the old one: then there is no output until `show`."""
        new, output = f"{self.work}/new", self.places.output
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
        """Move one file; it was moved before when it is not there any more."""
        source, target = f"{self.work}/new/{name}", f"{self.places.output}/{name}"
        try:
            self.store.rename(source, target)
        except FileNotFoundError:
            if not self.store.exists(f"{self.work}/journal"):
                raise self._lost("its folder is gone") from None
            if self.store.exists(source):
                raise
        except FileExistsError:
            if self.store.is_atomic:
                raise _appeared(target) from None
            self.store.delete(target)  # a copy that was interrupted
            self.store.rename(source, target)

    def _retire_names(self, journal: Journal) -> None:
        for name in journal.retire:
            self.store.delete(f"{self.places.output}/{name}")

    def _lost(self, found: str) -> LockLostError:
        return LockLostError(
            explain(
                f"This run lost the lock of {self.places.output} while it was paused.",
                found=found,
                hint="run the same command again: it finds out whether the rows are published.",
            )
        )


def _appeared(path: str) -> OutputExistsError:
    return OutputExistsError(
        explain(
            f"{path} was created by another program while the job held the lock.",
            expected="nothing there",
            hint="move it away, and run the same command again.",
        )
    )
