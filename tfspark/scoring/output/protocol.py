"""Write aside, then show: the output of a job appears whole, or not at all. Driver.

Rows are written aside, and shown when all of them are there. Spark's own `overwrite` deletes the
old output before the first task; here the old one leaves after the new one is complete.

Invariants: a job that fails or is killed before `publish` leaves the target as it was; what already
exists is never touched in mode `error`. What a killed job leaves beside an output, the next job
finishes or removes (README.md).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tfspark.errors import (
    BindingError,
    OutputExistsError,
    TimeLimitError,
    UnfinishedOutputError,
    WorkerLostError,
    explain,
)
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.journal import JobKey, Journal, Mode
from tfspark.spark.cluster.failures import cause, is_disconnected

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = [
    "Mode",
    "Output",
    "Transaction",
    "already_there",
    "check_same_columns",
    "ending",
    "publish",
]

# A worker was lost or had no answer in time; what other tasks have finished is good.
_STOPPED = (TimeLimitError, WorkerLostError)

_log = logging.getLogger(__name__)

# Types that Spark and Arrow name alike.
_COMPARABLE = re.compile(
    r"((?:array<)*)(tinyint|smallint|int|bigint|float|double|boolean|string|binary)>*"
)
# Type → the types whose values it holds without a change.
_WIDER = {
    "smallint": ("tinyint",),
    "int": ("tinyint", "smallint"),
    "bigint": ("tinyint", "smallint", "int"),
    "double": ("tinyint", "smallint", "int", "float"),
}


class Transaction(Protocol):
    """What begins, and ends in rows that are shown or in none."""

    def begin(self, job: JobKey) -> Journal | None:
        """Keep other jobs away, and finish or remove what dead ones left.

        Returns:
            The record of this very job when it is done: then nothing is staged.

        Raises:
            OutputBusyError: Another job writes to the target.
        """

    def publish(self, account: Mapping[str, object]) -> None:
        """Show what was staged; `account` is what a later start of this job is told of it."""

    def acknowledge(self) -> None:
        """End the job, after its caller was told that it is done."""

    def suspend(self) -> None:
        """Let other jobs in, and keep what the same job can go on with."""

    def discard(self) -> None:
        """Let other jobs in, and remove what was staged and not shown; fine when nothing is."""


class Output(Transaction, Protocol):
    """A target that can be written aside and shown."""

    @property
    def folder(self) -> str | None:
        """URI of a folder that tasks may write files into; `None` where only Spark can write."""

    @property
    def keeps(self) -> bool:
        """Whether the folder holds finished parts of an earlier run of the same job."""

    @property
    def records_runs(self) -> bool:
        """Whether the target can tell later that the run with an id is done."""

    @property
    def has_leftover(self) -> bool:
        """Whether another job is at work, or one has left something that `begin` looks at."""

    @property
    def is_decided(self) -> bool:
        """Whether the rows of this job are shown, or will be by its next start."""

    def check(self, *inputs: str) -> None:
        """Raise when the mode forbids what is there, before anything is written.

        Args:
            inputs: Paths that the job reads; an output that is overwritten must not hold them.
        """

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise when rows of these columns (name → Spark type) cannot be written or appended."""

    def stage(self, df: DataFrame) -> None:
        """Run the job and write its rows aside."""

    def take(self, files: Sequence[str]) -> None:
        """Take files that tasks wrote into the folder: these are staged, and no others."""


@contextmanager
def ending(output: Transaction) -> Iterator[None]:
    """End a job whose block fails: one that was stopped can go on, any other one is removed."""
    try:
        yield
    except BaseException as error:
        was_stopped = not isinstance(error, Exception) or isinstance(error, _STOPPED)
        can_go_on = was_stopped or is_disconnected(error)
        try:
            output.suspend() if can_go_on else output.discard()
        except Exception as another:  # the failure of the job is the one to tell
            _log.warning("the staged files could not be removed: %s", cause(another))
        raise


def publish(transaction: Transaction, output: Output, account: Mapping[str, object]) -> None:
    """Show what was staged; tell a failure before the decision from one after it.

    Raises:
        UnfinishedOutputError: The rows are decided, so the job did not fail, but not all of them
            may be shown.
    """
    try:
        transaction.publish(account)
    except Exception as error:
        if not output.is_decided:
            raise
        raise UnfinishedOutputError(
            explain(
                "The job decided to publish its rows, but ended before all of them were visible.",
                found=cause(error),
                hint="run the same command again; it publishes the rest and scores nothing.",
            )
        ) from error


def already_there(what: str) -> OutputExistsError:
    """Return the error of a target that the mode does not allow to touch."""
    return OutputExistsError(
        explain(
            f"The output exists: {what}.",
            expected="nothing there in mode error",
            hint="choose another output, or --mode overwrite, or --mode append.",
        )
    )


def check_same_columns(
    target: Dataset, there: Mapping[str, str] | Collection[str], columns: Mapping[str, str]
) -> None:
    """Refuse rows whose columns are not those that are there; a table may have wider types."""
    types = there if isinstance(there, Mapping) else {}
    folded = {name.lower(): kind for name, kind in columns.items()}
    ordered = target.format == "csv" and not target.table
    wanted, found = [name.lower() for name in there], list(folded)
    changed = any(
        not _takes(kind, folded.get(name.lower(), kind), may_widen=bool(target.table))
        for name, kind in types.items()
    )
    if changed or (wanted != found if ordered else sorted(wanted) != sorted(found)):
        dropped = " To give a table other columns, drop it first." if target.table else ""
        raise BindingError(
            explain(
                f"The rows do not have the columns of the {target}.",
                expected=", ".join(f"{name} {types.get(name, '')}".strip() for name in there),
                found=", ".join(f"{name} {kind}" for name, kind in columns.items()),
                hint=f"choose columns with --keep and name predictions with --fetch.{dropped}",
            )
        )


def _takes(wanted: str, found: str, *, may_widen: bool) -> bool:
    """Whether a column of a type takes values of another without a change."""
    one, other = _COMPARABLE.fullmatch(wanted), _COMPARABLE.fullmatch(found)
    if one is None or other is None or wanted == found:
        return True
    same_depth = one.group(1) == other.group(1)
    return may_widen and same_depth and other.group(2) in _WIDER.get(one.group(2), ())
