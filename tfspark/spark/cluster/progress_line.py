"""Formats the state of a running job as one line: a bar, rows, speed, time left. Driver.

The functions are pure.
"""

from __future__ import annotations

from dataclasses import dataclass

_BAR = 20


@dataclass(frozen=True)
class State:
    """The state of a running job at one moment.

    Attributes:
        seconds: Since the job began to score.
        tasks_done: Finished tasks of the running stages.
        tasks: All tasks of these stages; 0 while Spark plans.
        rows_done: Rows of finished tasks; `None` if they are not counted.
        rows: Rows of the input; `None` if unknown.
        kept: Rows that an earlier run had scored; `rows_done` includes them.
        rejected: Bad rows that were set aside.
    """

    seconds: float
    tasks_done: int = 0
    tasks: int = 0
    rows_done: int | None = None
    rows: int | None = None
    kept: int = 0
    rejected: int = 0

    @property
    def share(self) -> float | None:
        """The share of the work that is done, from 0 to 1; `None` if unknown."""
        if self.rows and self.rows_done is not None:
            return min(self.rows_done / self.rows, 1.0)
        return self.tasks_done / self.tasks if self.tasks else None

    @property
    def speed(self) -> float:
        """Rows per second that this run scores."""
        return max((self.rows_done or 0) - self.kept, 0) / max(self.seconds, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """The expected seconds until the end; `None` before the first task has finished."""
        if self.rows and self.speed:
            return max(self.rows - (self.rows_done or 0), 0) / self.speed
        return self.seconds * (1 / self.share - 1) if self.share and not self.rows_done else None


def in_words(what: str, state: State) -> str:
    """Return the state as text for a log record."""
    return f"{what}: {', '.join(_parts(state))}"


def bar_of(what: str, state: State, width: int) -> str:
    """Return the state as a line for a terminal, with a bar if the share is known."""
    share = state.share
    if share is None:
        return in_words(what, state)[: width - 1]
    filled = round(share * _BAR)
    bar = f"[{'=' * filled}{' ' * (_BAR - filled)}] {share:4.0%}"
    return f"{what} {bar}  {', '.join(_parts(state))}"[: width - 1]


def at_end(what: str, state: State) -> str:
    """Return the state after the last task as text."""
    rows = _parts(state)[:-1] if state.rows_done else []
    return f"{what}: {', '.join([*rows, _clock(state.seconds)])}"


def _parts(state: State) -> list[str]:
    if state.rows_done:
        of = f" of {state.rows:,}" if state.rows else ""
        parts = [f"{state.rows_done:,}{of} rows", f"{state.speed:,.0f} rows/s"]
    elif state.tasks:
        parts = [f"{state.tasks_done} of {state.tasks} tasks"]
    else:
        parts = ["planning"]
    if state.rejected:
        parts.append(f"{state.rejected:,} rejected")
    left = state.seconds_left
    return [*parts, _clock(state.seconds) if left is None else f"{_clock(left)} left"]


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
