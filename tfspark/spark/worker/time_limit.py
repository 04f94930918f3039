"""Ends a worker process whose model exceeds a time limit. Executor.

Python cannot interrupt native code, so the whole process ends. Spark then runs the task again in
another process. Each task has a thread that checks the time of the running step. A step costs two
assignments. Before the process ends, it writes the reason and the stacks of all threads to its
standard error. It also writes the reason to the crash report that Spark sends to the driver
(`spark.python.worker.faulthandler.enabled`). `spark.cluster.lost_workers` reads it there.

Invariants: without a limit there is no thread. Only the time in which the model loads or runs
counts. Native code must release Python's global lock, as all engines do.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NoReturn

from tfspark.engine import Engine
from tfspark.errors import TimeLimitError, explain
from tfspark.origin import Origin
from tfspark.tensors import Tensor

# The longest interval between two checks of the time.
_CHECK_SECONDS = 1.0
_STDERR = 2
# The environment variable with the folder of the workers' crash reports.
_CRASH_FOLDER = "PYTHON_FAULTHANDLER_DIR"

_LOADING, _ANSWERING = "did not load", "did not answer for a batch"


@dataclass
class TimeLimit:
    """The time limit of the steps of one task; a context manager.

    Attributes:
        seconds: The time limit of one step; `None` for no limit.
        origin: Model, partition and files of the task, for the message.
    """

    seconds: float | None
    origin: Origin
    step: str = _LOADING
    since: float | None = None
    _is_over: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> TimeLimit:
        if self.seconds is not None:
            threading.Thread(target=self._watch, name="tfspark-time-limit", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Limit the time of a block that loads the model."""
        self.step, self.since = _LOADING, monotonic()
        try:
            yield
        finally:
            self.since = None

    def wrap(self, engine: Engine) -> Engine:
        """Return the engine with a limit on each run; without a limit, the engine itself."""
        return engine if self.seconds is None else _LimitedEngine(engine, self)

    def _watch(self) -> None:
        seconds = self.seconds or 0.0
        while not self._is_over.wait(min(_CHECK_SECONDS, seconds / 4)):
            since = self.since
            if since is not None and monotonic() - since > seconds:
                _end_process(self._error())

    def _error(self) -> TimeLimitError:
        where = self.origin.in_words()
        return TimeLimitError(
            explain(
                f"{where}: the model {self.step} within {self.seconds:g} s; it was stopped.",
                hint="the standard error of the worker has the stacks of its threads; if the model "
                "is only slow, give it more time with timeout=… (--timeout), or fewer rows at a "
                "time with batch_size=… (--batch-size).",
            )
        )


@dataclass(frozen=True)
class _LimitedEngine:
    """An engine whose runs have a time limit."""

    engine: Engine
    limit: TimeLimit

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run one batch; see `Engine.run`."""
        self.limit.step, self.limit.since = _ANSWERING, monotonic()
        try:
            return self.engine.run(inputs)
        finally:
            self.limit.since = None

    def close(self) -> None:
        """Release the model; safe to call twice."""
        self.engine.close()


def _end_process(error: TimeLimitError) -> NoReturn:
    """Write the reason, and end this process at once."""
    kind = type(error)
    told = f"\n{kind.__module__}.{kind.__qualname__}: {error}\n".encode()
    with suppress(OSError):  # standard error may be closed; the process must end anyway
        sys.stdout.flush()
        os.write(_STDERR, told)
        faulthandler.dump_traceback(_STDERR, all_threads=True)
    with suppress(OSError):
        folder = os.environ.get(_CRASH_FOLDER)
        if folder:
            Path(folder, str(os.getpid())).write_bytes(told)
    os._exit(kind.exit_code)
