"""The lock of an output: one job at a time; a dead job blocks no other job. Driver.

A lock is a file `lock-<generation>` that is created atomically if it does not exist. Its owner
counts as alive while its heartbeat is younger than the lease, by the clock of the file system, and
its process is not known to have ended. The next generation takes over the lock of a dead owner.

A process on another machine may have died after its last heartbeat. A job that finds its lock waits
for the next heartbeat, or for the end of the lease. So a cluster manager can start the driver of a
dead job again at once, on any machine. No job waits for a lock whose owner is known to be alive.

Invariants: steps of the commit have the same names as in `tests/faults/commit_model.py`, which is
checked exhaustively. The lock alone does not make a commit safe, because a paused owner may wake
up. The rename in `recovery.Recovery` makes it safe.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Event, Thread
from time import sleep

from tfspark.errors import OutputBusyError, explain
from tfspark.scoring.output.foreign_record import as_record, as_run, read_record
from tfspark.scoring.output.hidden_folder import refuse_planted
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import (
    BEAT,
    FENCED,
    Places,
    generation_of,
    lock_generation,
)
from tfspark.scoring.output.store import Store

_log = logging.getLogger(__name__)

# A lease has to outlast the caches of a network file system, which keep times for a minute.
LEASE_S = 120.0
_BEATS_PER_LEASE = 8
_LOOKS_PER_LEASE = 24
# How often another job may take the lock between the steps `look` and `claim`.
_TRIES = 20


@dataclass(frozen=True)
class Holder:
    """The content of a lock or a heartbeat.

    Attributes:
        run: The run that created it.
        owner: Its process.
    """

    run: str
    owner: Owner

    @classmethod
    def of(cls, text: str, run: str) -> Holder:
        """Return the holder in a file's text; `run` is the run in the file's name."""
        if not text:  # on HDFS, a heartbeat is empty while it is written
            return cls(run, Owner.unknown())
        record = as_record(json.loads(text))
        return cls(as_run(record["run"]), Owner.of(as_record(record["owner"])))

    def to_json(self) -> str:
        """Return the file's text."""
        return json.dumps({"run": self.run, "owner": self.owner.as_record()}, indent=1) + "\n"


@dataclass
class Lock:
    """The lock of one output, for one run.

    Attributes:
        store: The file system.
        places: The names of the output.
        run: The run that needs it.
        owner: The process of the run.
        lease: Seconds without a heartbeat after which an owner counts as dead.
        generation: Generation of the lock that this run holds; 0 when it holds none.
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
            OutputBusyError: A live job has the lock; the message names its owner.
            OutputExistsError: Unexpected users can change the hidden folder.
        """
        self.check_folder()
        for _ in range(_TRIES):
            generation = self._look()
            if self._enter() and self._claim(generation):
                self.check_folder()  # another user may have made it meanwhile
                self._confirm()
                self._fence()
                Thread(target=self._keep_beating, daemon=True).start()
                return
        raise self._withdrawn("Other jobs kept locking the output")

    def check_folder(self) -> None:
        """Refuse a hidden folder into which unexpected users can put files."""
        refuse_planted(self.store, self.places)

    def holds(self) -> bool:
        """Whether this run still has the lock, and no other run has begun to take it over."""
        locks = self._locks()
        return bool(locks) and max(locks) == self.generation

    def others(self) -> list[int]:
        """Return the generations of all other locks."""
        return [generation for generation in self._locks() if generation != self.generation]

    def holder(self, generation: int) -> Holder | None:
        """Return the holder of a lock; `None` when the lock does not exist."""
        return self._read(self.places.lock(generation))

    def is_silent(self, beat: str) -> bool:
        """Whether a heartbeat belongs to a dead run, or does not exist."""
        holder = self._read(beat)
        return holder is None or not self.is_alive(holder)

    def is_alive_after_wait(self, holder: Holder, last: int | None = None) -> bool:
        """Whether a holder is alive. If this is unknown, wait for its next heartbeat.

        The wait takes one lease at most. A holder that ends its work meanwhile counts as alive,
        because this job may have planned with the state before that work. `last` is the time of its
        heartbeat when the caller looked; by default that of now.
        """
        last = self._beat(holder) if last is None else last
        for look in range(_LOOKS_PER_LEASE + 2):  # some file systems round times to seconds
            beat = self._beat(holder)
            if beat != last:
                return True
            if not self._is_young(holder, beat):
                return False
            if holder.owner.is_running():
                return True
            if look == 0:
                message = (
                    "run %s, %s, may be dead; the job on %s waits up to %.0f s for a heartbeat"
                )
                _log.warning(message, holder.run, holder.owner, self.places.output, self.lease)
            sleep(self.lease / _LOOKS_PER_LEASE)
        return True  # the time of its heartbeat is in the future

    def silence(self) -> None:
        """Stop the heartbeat."""
        self._stop.set()

    def release(self, *records: str) -> None:
        """Release the lock: steps `release` and `acknowledge`.

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
        return _generations(self.store.names(self.places.hidden))

    def _read(self, path: str) -> Holder | None:
        run = path.rpartition("/")[2].removeprefix(BEAT)
        return read_record(self.store, path, lambda text: Holder.of(text, run))

    def _text(self) -> str:
        """Return the content of the lock and the heartbeat."""
        return Holder(self.run, self.owner).to_json()

    def _look(self) -> int:
        while True:
            names = self.store.names(self.places.hidden)
            locks = _generations(names)
            holder = self.holder(max(locks)) if locks else None
            beat = self._beat(holder) if holder else None
            if holder is None or not self._is_young(holder, beat):
                return 1 + max((generation_of(name) or 0 for name in names), default=0)
            if self.is_alive_after_wait(holder, beat):
                raise self._held_by(holder)
            # List again: another job may have taken over the lock during the wait.

    def _held_by(self, holder: Holder) -> OutputBusyError:
        found = f"run {holder.run}, {holder.owner}"
        return self._withdrawn("Another job writes to the output", found=found)

    def is_alive(self, holder: Holder) -> bool:
        """Whether a holder's heartbeat is young enough, by the clock of the file system."""
        return self._is_young(holder, self._beat(holder))

    def _beat(self, holder: Holder) -> int | None:
        return self.store.modified(self.places.beat(holder.run))

    def _is_young(self, holder: Holder, theirs: int | None) -> bool:
        if theirs is None or holder.owner.has_ended():
            return False
        if not self._enter():
            return True  # another job removed the folder; the caller looks again
        ours = self.store.modified(self.places.beat(self.run))
        return ours is None or ours - theirs < self.lease * 1000

    def _enter(self) -> bool:
        """Create the heartbeat; return `False` if another job has just removed the folder."""
        self.store.make_hidden(self.places.hidden)
        beat = self.places.beat(self.run)
        try:
            self.store.create(beat, self._text())
            return True
        except FileNotFoundError:
            return False
        except FileExistsError:
            return self._is_touched(beat)

    def _is_touched(self, beat: str) -> bool:
        try:
            self.store.touch(beat)
        except FileNotFoundError:
            return False
        return True

    def _claim(self, generation: int) -> bool:
        try:
            self.store.create(self.places.lock(generation), self._text())
        except (FileNotFoundError, FileExistsError):
            return False
        self.generation = generation
        return self._enter()  # again, because a job that ended may have removed the heartbeat

    def _confirm(self) -> None:
        """Give up if another job has claimed too: `look` and `claim` are two operations."""
        if not self.holds():
            raise self._withdrawn("Another job has just locked the output")
        for generation in self.others():
            holder = self.holder(generation)
            if holder is not None and self.is_alive(holder):
                raise self._held_by(holder)

    def _fence(self) -> None:
        """Reserve the generation of an owner that may wake up, so that it is not used again."""
        for generation in self.others():
            holder = self.holder(generation)
            if holder is None:
                continue
            _log.warning(
                "this run takes over from run %s, %s: no heartbeat", holder.run, holder.owner
            )
            beats = self.store.exists(self.places.beat(holder.run))
            if beats and not holder.owner.has_ended():
                try:
                    self.store.create(self.places.fenced(generation, holder.run), "")
                except FileExistsError:
                    continue

    def _withdrawn(self, problem: str, *, found: str = "") -> OutputBusyError:
        """Remove the created files, and return the error of an output that is not free."""
        self.release()
        where = f"{self.places.hidden}/{BEAT}*"
        return OutputBusyError(
            explain(
                f"{problem} {self.places.output}.",
                expected="one job at a time",
                found=found,
                hint="run the same command again when the other job has ended; its last heartbeat "
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


def _generations(names: Iterable[str]) -> list[int]:
    """Return the generations of the locks among names."""
    found = map(lock_generation, names)
    return [generation for generation in found if generation is not None]
