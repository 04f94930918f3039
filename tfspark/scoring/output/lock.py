"""The lock of an output: one job at a time, and a dead job holds up nobody. Driver.

A lock is a file `lock-<generation>` that is created atomically when it is absent. Its owner is
alive as long as its heartbeat is younger than the lease, by the clock of the file system, and its
process is not known to have ended. A lock whose owner is dead is taken over by the next generation.

Invariants: the methods that are steps of the commit have the names of the steps in
`tests/faults/commit_model.py`, which is checked exhaustively. A lock alone never makes a commit
safe, because its owner may have been paused and wake up: `recover.take` does.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from threading import Event, Thread

from tfspark.errors import OutputBusyError, explain
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import BEAT, FENCED, LOCK, Places, generation_of
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)

# A lease has to outlast the caches of a network file system, which keep times for a minute.
LEASE_S = 120.0
_BEATS_PER_LEASE = 8
# How often a lock may slip away between the look and the claim; each time, another job got on.
_TRIES = 20


@dataclass(frozen=True)
class Holder:
    """What a lock says.

    Attributes:
        run: The run that holds it.
        owner: Its process.
    """

    run: str
    owner: Owner


@dataclass
class Lock:
    """The lock of one output, for one run.

    Attributes:
        store: The file system.
        places: The names of the output.
        run: The run that wants it.
        owner: The process of the run.
        lease: Seconds without a heartbeat after which an owner counts as dead.
        generation: Of the lock that is held; 0 when none is.
    """

    store: Store
    places: Places
    run: str
    owner: Owner
    lease: float = LEASE_S
    generation: int = field(default=0, init=False)
    _stop: Event = field(default_factory=Event, init=False)

    def acquire(self) -> None:
        """Get the lock.

        Raises:
            OutputBusyError: A live job has it; the message names its owner.
        """
        for _ in range(_TRIES):
            generation = self._look()
            if self._enter() and self._claim(generation):
                self._confirm()
                self._fence()
                Thread(target=self._keep_beating, daemon=True).start()
                return
        raise self._withdrawn("Other jobs kept locking the output")

    def holds(self) -> bool:
        """Whether the lock is still this run's, and nobody has begun to take it over."""
        locks = self._locks()
        return bool(locks) and max(locks) == self.generation

    def others(self) -> list[int]:
        """Return the generations of all other locks."""
        return [one for one in self._locks() if one != self.generation]

    def holder(self, generation: int) -> Holder | None:
        """Return what a lock says; `None` when it is gone."""
        return self._read(self.places.lock(generation))

    def is_silent(self, beat: str) -> bool:
        """Whether a heartbeat is of a run that is dead, or gone."""
        holder = self._read(beat)
        return holder is None or not self.is_alive(holder)

    def silence(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()

    def release(self, *records: str) -> None:
        """Give the lock up: steps `release` and `acknowledge`.

        Args:
            records: Files to delete together with the heartbeat, as the last operation.
        """
        self.silence()
        if self.generation:
            self.store.delete(self.places.lock(self.generation))
            self.generation = 0
        for name in self.store.names(self.places.hidden):
            if name.startswith(FENCED) and name.endswith(f"-{self.run}"):
                self.store.delete(f"{self.places.hidden}/{name}")
        self.store.delete_last(*records, self.places.beat(self.run))

    def _locks(self) -> list[int]:
        names = self.store.names(self.places.hidden)
        return [int(name[len(LOCK) :]) for name in names if name.startswith(LOCK)]

    def _read(self, path: str) -> Holder | None:
        text = self.store.read(path)
        if text is None:
            return None
        if not text:  # HDFS shows a heartbeat that is being written as an empty file
            return Holder(path.rpartition("/")[2].removeprefix(BEAT), Owner.unknown())
        record = json.loads(text)
        return Holder(record["run"], Owner.of(record["owner"]))

    def _text(self) -> str:
        """Return what a lock and a heartbeat say."""
        return json.dumps({"run": self.run, "owner": self.owner.as_record()}, indent=1) + "\n"

    def _look(self) -> int:
        names = self.store.names(self.places.hidden)
        locks = [int(name[len(LOCK) :]) for name in names if name.startswith(LOCK)]
        if locks:
            self._refuse_live(max(locks))
        return 1 + max((generation_of(name) or 0 for name in names), default=0)

    def _refuse_live(self, generation: int) -> None:
        holder = self.holder(generation)
        if holder is None or not self.is_alive(holder):
            return
        raise self._withdrawn(
            "Another job writes to the output", found=f"run {holder.run}, {holder.owner}"
        )

    def is_alive(self, holder: Holder) -> bool:
        """Whether a holder's heartbeat is young enough, by the clock of the file system."""
        theirs = self.store.modified(self.places.beat(holder.run))
        if theirs is None or holder.owner.has_ended():
            return False
        if not self._enter():
            return True  # the folder was removed: look again
        ours = self.store.modified(self.places.beat(self.run))
        return ours is None or ours - theirs < self.lease * 1000

    def _enter(self) -> bool:
        """Beat for the first time; `False` when another job has just removed the folder."""
        self.store.make(self.places.hidden)
        beat = self.places.beat(self.run)
        try:
            self.store.create(beat, self._text())
        except FileNotFoundError:
            return False
        except FileExistsError:
            self.store.touch(beat)
        return True

    def _claim(self, generation: int) -> bool:
        try:
            self.store.create(self.places.lock(generation), self._text())
        except (FileNotFoundError, FileExistsError):
            return False
        self.generation = generation
        return self._enter()  # again: a job that has ended may have removed the heartbeat

    def _confirm(self) -> None:
        """Give up when another job is on its way, too: a look and a claim are two operations."""
        if not self.holds():
            raise self._withdrawn("Another job has just locked the output")
        for generation in self.others():
            self._refuse_live(generation)

    def _fence(self) -> None:
        """Keep the generation of an owner that may wake up from being used again."""
        for generation in self.others():
            holder = self.holder(generation)
            if holder is None:
                continue
            _log.warning(
                "takes over from run %s, %s: its heartbeat stopped", holder.run, holder.owner
            )
            beats = self.store.exists(self.places.beat(holder.run))
            if beats and not holder.owner.has_ended():
                try:
                    self.store.create(self.places.fenced(generation, holder.run), "")
                except FileExistsError:
                    continue

    def _withdrawn(self, problem: str, *, found: str = "") -> OutputBusyError:
        """Take back what was created, and return the error of an output that is not free."""
        self.release()
        where = f"{self.places.hidden}/{BEAT}*"
        return OutputBusyError(
            explain(
                f"{problem} {self.places.output}.",
                expected="one job at a time",
                found=found,
                hint="run the same command again when the other job has ended; a job that died on "
                f"another machine is taken over {self.lease:.0f} s after its last heartbeat, which "
                f"is the time of {where}.",
            )
        )

    def _keep_beating(self) -> None:
        while not self._stop.wait(self.lease / _BEATS_PER_LEASE):
            try:
                self.store.touch(self.places.beat(self.run))
            except FileNotFoundError:
                if not self._stop.is_set():
                    _log.warning("the lock of %s was taken over", self.places.output)
                return
            except Exception as error:  # a slow file system; the next beat may get through
                _log.warning("a heartbeat failed: %s", error)
