"""The protocol of outputs: stage all rows, then publish all of them or none. Driver.

Rows are staged in a hidden place and published when all are complete. Spark's own `overwrite`
deletes the old output before the first task. Here the old output is removed after the new one is
complete.

Invariants: a job that fails or is killed before `publish` does not change the target. Mode `error`
never changes an existing target. The next job finishes or removes the files of a killed job
(README.md).
"""

from __future__ import annotations

import logging
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
from tfspark.scoring.output.column_types import holds
from tfspark.scoring.output.journal import JobKey, Journal, Mode
from tfspark.spark.cluster.failures import cause, is_disconnected
from tfspark.spark.cluster.sources import Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = [
    "Mode",
    "Output",
    "Transaction",
    "already_there",
    "check_same_columns",
    "cleanup_on_failure",
    "publish",
]

# A worker was lost or exceeded the time limit; the parts of other tasks are valid.
_STOPPED = (TimeLimitError, WorkerLostError)

CHOOSE_COLUMNS = "choose columns with --keep and name predictions with --fetch."

_log = logging.getLogger(__name__)


class Transaction(Protocol):
    """A transaction: all of its rows are published, or none."""

    def begin(self, job: JobKey) -> Journal | None:
        """Lock out other jobs, and finish or remove the work of dead jobs.

        Returns:
            The record of this job if it is already done. Then nothing is staged.

        Raises:
            OutputBusyError: Another job writes to the target.
        """

    def publish(self, account: Mapping[str, object]) -> None:
        """Publish the staged rows; `account` is the report for later starts of this job."""

    def acknowledge(self) -> None:
        """End the job, after it has reported to its caller."""

    def suspend(self) -> None:
        """Let other jobs in, but keep the files that the same job can reuse."""

    def discard(self) -> None:
        """Let other jobs in, and remove staged files that are not published, if any."""


class Output(Transaction, Protocol):
    """A target of a job: a folder or a table."""

    @property
    def folder(self) -> str | None:
        """URI of a folder that tasks can write to; `None` where only Spark can write."""

    @property
    def keeps(self) -> bool:
        """Whether the folder has finished parts of an earlier run of the same job."""

    @property
    def records_runs(self) -> bool:
        """Whether the target can record that the run with an id is done."""

    @property
    def has_leftover(self) -> bool:
        """Whether another job is working, or has left files or notes for `begin`."""

    @property
    def place(self) -> str:
        """Where the rows are: a qualified path, or the quoted name of a table."""

    @property
    def is_decided(self) -> bool:
        """Whether the rows of this job are published, or its next start will publish them."""

    def check(self, *inputs: str) -> None:
        """Raise when the mode forbids the existing target; called before any write.

        Args:
            inputs: Paths that the job reads. A job must not change them.
        """

    def check_sources(self, sources: Sequence[Source]) -> None:
        """Raise when writing the target would change rows that the job reads."""

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise when the target cannot take rows of these columns (name → Spark type)."""

    def may_have_published(self, run: str, job: JobKey) -> bool:
        """Whether an earlier run has published its rows here, or may have; called after `begin`."""

    def stage(self, df: DataFrame) -> None:
        """Run the job and stage its rows."""

    def take(self, files: Sequence[str]) -> None:
        """Stage exactly these files, which tasks wrote to the folder."""


@contextmanager
def cleanup_on_failure(output: Transaction) -> Iterator[None]:
    """If the block fails, suspend a job that was stopped, and discard any other job."""
    try:
        yield
    except BaseException as error:
        was_stopped = not isinstance(error, Exception) or isinstance(error, _STOPPED)
        can_go_on = was_stopped or is_disconnected(error)
        try:
            output.suspend() if can_go_on else output.discard()
        except Exception as another:  # the caller needs the failure of the job
            left = "lock is not released" if can_go_on else "staged files are not removed"
            _log.warning("the %s: %s", left, cause(another))
        raise


def publish(transaction: Transaction, output: Output, account: Mapping[str, object]) -> None:
    """Publish the staged rows.

    Raises:
        UnfinishedOutputError: An error came after the decision. The job did not fail, but some rows
            may not be visible yet.
        Exception: An error came before the decision. Nothing is published.
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
    """Return the error of a target that exists in mode `error`."""
    return OutputExistsError(
        explain(
            f"The output already exists: {what}.",
            expected="no existing output in mode error",
            hint="choose another output, or --mode overwrite, or --mode append.",
        )
    )


def check_same_columns(
    target: Dataset,
    there: Mapping[str, str] | Collection[str],
    columns: Mapping[str, str],
    hint: str = CHOOSE_COLUMNS,
) -> None:
    """Refuse rows whose columns differ from the target's; a table may have wider types."""
    types = there if isinstance(there, Mapping) else {}
    folded = {name.lower(): kind for name, kind in columns.items()}
    ordered = target.format == "csv" and not target.table
    folders = {name.lower() for name in target.partition_by}  # their columns come last
    wanted = [name.lower() for name in there if name.lower() not in folders]
    found = [name for name in folded if name not in folders]
    changed = any(
        not holds(kind, folded.get(name.lower(), kind), may_widen=bool(target.table))
        for name, kind in types.items()
    )
    if changed or (wanted != found if ordered else sorted(wanted) != sorted(found)):
        dropped = ""
        if target.table:
            dropped = " To give a table other columns, drop it first."
        if changed:
            dropped += " To convert values, use CAST in a SQL job."
        raise BindingError(
            explain(
                f"The rows do not have the columns of the {target}.",
                expected=", ".join(f"{name} {types.get(name, '')}".strip() for name in there),
                found=", ".join(f"{name} {kind}" for name, kind in columns.items()),
                hint=f"{hint}{dropped}",
            )
        )
