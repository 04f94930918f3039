"""The commit of a job as a small model: one method per step, named like the steps of the code.

Every step does one operation of the file system and chooses the next step. A run knows only what it
has read, its own name, and the heartbeats of other runs. The paths are those of
`tfspark/scoring/output/README.md`, with `W` for the hidden folder beside the output.

The model does not contain: a third job (`fence` prevents that generations are used twice); partly
deleted folders (folders are renamed first, to a name that no run takes); file systems that copy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tests.faults.abstract_files import Disk, ExistsError, MissingError

Mode = Literal["error", "overwrite", "append"]

DONE, REFUSED, AGAIN = 0, 73, 75
PARTS = ("1", "2")


class Run(NamedTuple):
    """One process that runs a job: `A1` is the first run of job `A`."""

    job: str
    number: int
    at: str = "look"
    generation: int = 0
    state: Literal["live", "paused", "killed", "ended"] = "live"
    exit: int | None = None
    owns_done: bool = False
    own_journal: bool = False

    @property
    def name(self) -> str:
        return f"{self.job}{self.number}"

    @property
    def work(self) -> str:
        return f"W/work-{self.name}"


class Journal(NamedTuple):
    """The decision of a run; an applied one is the record that the job is done."""

    job: str
    run: str
    mode: Mode
    folder: str


@dataclass(frozen=True)
class Protocol:
    """The settings that all steps of a world share.

    Attributes:
        modes: Job → mode.
        exchanges: Whether the file system exchanges two folders atomically.
        without: Steps that are left out, to check that the model finds the error.
        state_of: Run → whether its heartbeat is young, and whether it is known to have ended.
    """

    modes: dict[str, Mode]
    exchanges: bool
    without: frozenset[str]
    state_of: Callable[[str], str]

    def step(self, me: Run, disk: Disk) -> Run:
        """Take the next step of a run."""
        return getattr(self, me.at)(me, disk)

    # --- lock ------------------------------------------------------------------------------------

    def look(self, me: Run, disk: Disk) -> Run:
        locks = _locks(disk)
        if locks and self._lives(str(disk.read(f"W/lock-{max(locks)}")), disk):
            return _ended(me, AGAIN)
        return me._replace(generation=1 + max(_generations(disk), default=0), at="enter")

    def enter(self, me: Run, disk: Disk) -> Run:
        disk.make("W")
        return me._replace(at="beat")

    def beat(self, me: Run, disk: Disk) -> Run:
        try:
            disk.create(f"W/beat-{me.name}", me.name)
        except MissingError:  # another job has finished and removed the folder
            return me._replace(at="look")
        except ExistsError:
            pass
        return me._replace(at="claim")

    def claim(self, me: Run, disk: Disk) -> Run:
        try:
            disk.create(f"W/lock-{me.generation}", me.name)
        except MissingError:
            return me._replace(at="look")
        except ExistsError:
            return me._replace(at="look")
        return me._replace(at="confirm")

    def confirm(self, me: Run, disk: Disk) -> Run:
        locks = _locks(disk)
        if me.generation not in locks or max(locks) > me.generation:
            return me._replace(at="withdraw")
        others = {h: str(disk.read(f"W/lock-{h}")) for h in locks if h != me.generation}
        if any(self._lives(run, disk) for run in others.values()):
            return me._replace(at="withdraw")
        return me._replace(at="fence")

    def fence(self, me: Run, disk: Disk) -> Run:
        """Reserve the generations of owners that may wake up, so that they are not used again."""
        for generation in _locks(disk):
            run = str(disk.read(f"W/lock-{generation}"))
            marker = f"W/fenced-{generation}-{run}"
            asleep = self.state_of(run) == "paused" and "fence" not in self.without
            if run != me.name and asleep and not disk.exists(marker):
                disk.create(marker, run)
                return me
        return me._replace(at="take")

    def _lives(self, run: str, disk: Disk) -> bool:
        return self.state_of(run) == "live" and disk.exists(f"W/beat-{run}")

    # --- recover ---------------------------------------------------------------------------------

    def take(self, me: Run, disk: Disk) -> Run:
        """Rename the folder of another run, so that all later steps of its owner fail."""
        for name in disk.names("W"):
            folder = f"W/{name}"
            if name.startswith("work-") and folder != me.work:
                if disk.exists(me.work):  # a second one was made by an owner that woke up
                    disk.rename(folder, f"W/trash-{me.name}")
                    return me._replace(at="burn_other")
                if "take" in self.without:
                    return me._replace(at="sweep")
                disk.rename(folder, me.work)
                return me._replace(at="inspect")
        return me._replace(at="sweep")

    def inspect(self, me: Run, disk: Disk) -> Run:
        if disk.exists(f"{me.work}/journal"):
            return me._replace(at="compare")
        if disk.exists(me.work) and disk.read(me.work) == me.job:
            return me._replace(at="take")  # its parts are kept: this is resume
        return me._replace(at="drop_other")

    def drop_other(self, me: Run, disk: Disk) -> Run:
        try:
            disk.rename(me.work, f"W/trash-{me.name}")
        except MissingError:
            return me._replace(at="withdraw")
        return me._replace(at="burn_other")

    def burn_other(self, me: Run, disk: Disk) -> Run:
        disk.delete(f"W/trash-{me.name}")
        return me._replace(at="take")

    def sweep(self, me: Run, disk: Disk) -> Run:
        """Remove the files of runs that ended or lost the lock, one entry per step."""
        for name in disk.names("W"):
            kind, _, rest = name.partition("-")
            old_lock = kind == "lock" and int(rest) < me.generation
            silent = kind == "beat" and self.state_of(rest) != "live"
            if old_lock or silent or (kind == "trash" and rest != me.name):
                disk.delete(f"W/{name}")
                return me
            if kind == "fenced" and self.state_of(rest.partition("-")[2]) == "ended":
                disk.delete(f"W/{name}")
                return me
        return me._replace(at="begin")

    def begin(self, me: Run, disk: Disk) -> Run:
        if disk.exists(f"W/done-{me.job}"):  # an earlier run of this job did not report it
            done = disk.read(f"W/done-{me.job}")
            assert isinstance(done, Journal)
            if self._lives(done.run, disk):
                return me._replace(at="withdraw")
            return me._replace(at="drop", owns_done=True, exit=DONE)
        if self.modes[me.job] == "error" and disk.exists("out"):
            return me._replace(at="release", exit=REFUSED)
        return me._replace(at="stage_1")

    # --- stage -----------------------------------------------------------------------------------

    def stage_1(self, me: Run, disk: Disk) -> Run:
        return self._stage(me, disk, "1", "stage_2")

    def stage_2(self, me: Run, disk: Disk) -> Run:
        return self._stage(me, disk, "2", "count")

    def _stage(self, me: Run, disk: Disk, part: str, then: str) -> Run:
        """Write a part, unless it was kept; on Hadoop, this makes a renamed folder again."""
        new = f"{me.work}/new"
        disk.make(me.work, me.job)
        disk.make(new, f"new of {me.name}")
        value = f"{me.job}.{part}"
        if value not in [disk.read(f"{new}/{name}") for name in disk.names(new)]:
            disk.create(f"{new}/{me.name}-{part}", value)
        return me._replace(at=then)

    def count(self, me: Run, disk: Disk) -> Run:
        """Continue only with all parts: a run that wakes up may have removed some of them."""
        new = f"{me.work}/new"
        counted = sorted(str(disk.read(f"{new}/{name}")) for name in disk.names(new))
        is_whole = counted == [f"{me.job}.{part}" for part in PARTS] or "count" in self.without
        return me._replace(at="draft" if is_whole else "withdraw")

    # --- decide ----------------------------------------------------------------------------------

    def draft(self, me: Run, disk: Disk) -> Run:
        disk.delete(f"{me.work}/draft")
        try:
            folder = disk.read(f"{me.work}/new")
            decision = Journal(me.job, me.name, self.modes[me.job], str(folder))
            disk.create(f"{me.work}/draft", decision)
        except MissingError:
            return me._replace(at="withdraw")
        return me._replace(at="check" if "check" not in self.without else "decide")

    def check(self, me: Run, disk: Disk) -> Run:
        locks = _locks(disk)
        if me.generation not in locks or max(locks) > me.generation:
            return me._replace(at="withdraw")
        return me._replace(at="decide")

    def decide(self, me: Run, disk: Disk) -> Run:
        try:
            disk.rename(f"{me.work}/draft", f"{me.work}/journal")
        except MissingError:
            return me._replace(at="withdraw")
        return me._replace(at="compare", own_journal=True)

    # --- apply -----------------------------------------------------------------------------------

    def compare(self, me: Run, disk: Disk) -> Run:
        """Compare the files with the journal, and choose the next operation."""
        if not disk.exists(f"{me.work}/journal"):
            return me._replace(at="withdraw")
        journal = disk.read(f"{me.work}/journal")
        assert isinstance(journal, Journal)
        if not disk.exists(f"{me.work}/new"):
            return me._replace(at="mark")
        if not disk.exists("out"):
            return me._replace(at="show")
        if journal.mode == "append":
            return me._replace(at="add" if disk.names(f"{me.work}/new") else "mark")
        if disk.read("out") == journal.folder:
            return me._replace(at="mark")
        assert journal.mode == "overwrite", "an output appeared although the lock was held"
        return me._replace(at="exchange" if self.exchanges else "retire")

    def show(self, me: Run, disk: Disk) -> Run:
        return self._apply(me, lambda: disk.rename(f"{me.work}/new", "out"))

    def exchange(self, me: Run, disk: Disk) -> Run:
        return self._apply(me, lambda: disk.exchange(f"{me.work}/new", "out"))

    def retire(self, me: Run, disk: Disk) -> Run:
        return self._apply(me, lambda: disk.rename("out", f"{me.work}/old"))

    def add(self, me: Run, disk: Disk) -> Run:
        names = disk.names(f"{me.work}/new")
        if not names:
            return me._replace(at="compare")
        return self._apply(me, lambda: disk.rename(f"{me.work}/new/{names[0]}", f"out/{names[0]}"))

    def _apply(self, me: Run, operation: Callable[[], None]) -> Run:
        # `compare` finds out whether the step was done before, or the folder was renamed.
        with suppress(MissingError, ExistsError):
            operation()
        return me._replace(at="compare")

    def mark(self, me: Run, disk: Disk) -> Run:
        """Rename the journal to the record that its job is done."""
        journal = f"{me.work}/journal"
        try:
            value = disk.read(journal)
            assert isinstance(value, Journal)
            disk.rename(journal, f"W/done-{value.job}")
        except MissingError:
            return me._replace(at="withdraw")
        if me.own_journal:
            return me._replace(at="drop", owns_done=True, exit=DONE)
        return me._replace(at="drop_other")

    def drop(self, me: Run, disk: Disk) -> Run:
        with suppress(MissingError):
            disk.rename(me.work, f"W/trash-{me.name}")
        return me._replace(at="burn")

    def burn(self, me: Run, disk: Disk) -> Run:
        disk.delete(f"W/trash-{me.name}")
        return me._replace(at="release")

    # --- end -------------------------------------------------------------------------------------

    def release(self, me: Run, disk: Disk) -> Run:
        disk.delete(f"W/lock-{me.generation}")
        return me._replace(at="acknowledge")

    def acknowledge(self, me: Run, disk: Disk) -> Run:
        """Delete the record as the last step: from then on, the same command is a new job."""
        for name in disk.names("W"):
            if name.startswith("fenced-") and name.endswith(f"-{me.name}"):
                disk.delete(f"W/{name}")
        if me.owns_done:
            disk.delete(f"W/done-{me.job}")
        disk.delete(f"W/beat-{me.name}")
        disk.remove_empty("W")
        return _ended(me, me.exit)

    def withdraw(self, me: Run, disk: Disk) -> Run:
        """End a run that has lost its lock; its rows are published if its job is marked done."""
        disk.delete(f"W/lock-{me.generation}")
        return me._replace(at="leave")

    def leave(self, me: Run, disk: Disk) -> Run:
        disk.delete(me.work)  # no file of the run is in it: its folder was renamed
        is_done = me.own_journal and disk.exists(f"W/done-{me.job}")
        return me._replace(at="acknowledge", owns_done=is_done, exit=DONE if is_done else AGAIN)


def _ended(me: Run, code: int | None) -> Run:
    return me._replace(at="", state="ended", exit=code)


def _locks(disk: Disk) -> list[int]:
    return [int(name[5:]) for name in disk.names("W") if name.startswith("lock-")]


def _generations(disk: Disk) -> list[int]:
    fenced = [int(n.split("-")[1]) for n in disk.names("W") if n.startswith("fenced-")]
    return [*_locks(disk), *fenced]
