"""A table of another catalog (Iceberg, Delta, JDBC) as the output of a job. Driver.

One statement creates, appends to or overwrites such a table. It is one transaction if the catalog
has transactions. An overwrite replaces only the rows. Tables are not renamed, because Iceberg
tables in a Hadoop catalog cannot be renamed. If the table has a history, the commit is marked
there, so that the same command after a kill does not add rows twice. Other tables, such as those of
JDBC, have no such mark.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tfspark.errors import OutputBusyError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.definition import refuse_other_definition
from tfspark.scoring.output.folder_rules import would_change
from tfspark.scoring.output.held_rows import HeldRows
from tfspark.scoring.output.history import History, history_of
from tfspark.scoring.output.in_flight import PREFIX, InFlight, property_of, short
from tfspark.scoring.output.journal import PARTITIONS, JobKey, Journal
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.partitions import check_partitions, refuse_unpartitioned
from tfspark.scoring.output.protocol import Mode, already_there, check_same_columns
from tfspark.scoring.output.table_name import TableName, check_schema
from tfspark.spark.cluster.failures import cause, is_disconnected
from tfspark.spark.cluster.sources import Source
from tfspark.spark.cluster.tables import (
    append_rows,
    catalog_class,
    create,
    partitioning_of,
    properties_of,
    provider_of,
    replace_partitions,
    replace_rows,
    set_property,
    temporary_settings,
    unset_property,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_log = logging.getLogger(__name__)

# In the error of a commit of Iceberg whose answer was lost.
_UNKNOWN = "CommitStateUnknown"


@dataclass
class CatalogOutput:
    """A table of another catalog."""

    keeps: ClassVar[bool] = False

    spark: SparkSession
    target: Dataset
    table: TableName
    mode: Mode
    run: str
    held: HeldRows = field(default_factory=HeldRows, init=False)
    _job: JobKey = field(default_factory=lambda: JobKey(""), init=False)
    _commit: str = field(default="", init=False)
    _note: str = field(default="", init=False)
    _may_commit_later: bool = field(default=False, init=False)

    @property
    def folder(self) -> str | None:
        """See `Output.folder`."""
        return None

    @property
    def records_runs(self) -> bool:
        """See `Output.records_runs`."""
        return self._history is not None

    @property
    def has_leftover(self) -> bool:
        """See `Output.has_leftover`: whether there are marks or notes for `begin` to inspect."""
        history = self._history
        return bool(self._exists() and history is not None and (self._notes() or history.marks()))

    @property
    def place(self) -> str:
        """See `Output.place`."""
        return self.table.quoted

    @property
    def is_decided(self) -> bool:
        """See `Output.is_decided`."""
        history = self._history
        return history is not None and self._exists() and self._commit in history.marks()

    @property
    def _history(self) -> History | None:
        name = self.table.quoted
        provider = provider_of(self.spark, name) if self._exists() else self._provider_of_new()
        return history_of(self.spark, name, provider)

    def _provider_of_new(self) -> str:
        if self.target.format != "parquet":
            return self.target.format
        return catalog_class(self.spark, self.table.catalog)

    def check(self, *inputs: str) -> None:  # noqa: ARG002
        """See `Output.check`."""
        if not self._exists():
            check_schema(self.spark, self.table)
        elif self.mode == "error" and not self.has_leftover:
            raise already_there(str(self.target))
        if self.mode == PARTITIONS:
            self._check_partitions()

    def _check_partitions(self) -> None:
        """Refuse a table that cannot replace single partitions, or that has none."""
        if self._history is None:
            raise UsageError(
                explain(
                    f"The {self.target} cannot replace single partitions.",
                    expected="a folder, or a table of files, of Delta Lake or of Iceberg",
                    hint="choose --mode overwrite or append.",
                )
            )
        by = bool(self.target.partition_by)
        there = bool(partitioning_of(self.spark, self.table.quoted)) if self._exists() else by
        refuse_unpartitioned(self.target, is_partitioned=there)

    def check_sources(self, sources: Sequence[Source]) -> None:
        """See `Output.check_sources`. A history keeps the rows that are replaced."""
        name = self.table.quoted
        if self._history is None and name in [source.table for source in sources]:
            raise UsageError(would_change(f"the {self.target}", "its rows", self.mode))

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """See `Output.check_columns`."""
        check_partitions(self.target, columns)
        if self._exists():
            name = self.table.quoted
            check_same_columns(self.target, dict(self.spark.table(name).dtypes), columns)
            provider, partitions = provider_of(self.spark, name), partitioning_of(self.spark, name)
            refuse_other_definition(self.target, provider, partitions, takes_options=True)

    def begin(self, job: JobKey) -> Journal | None:
        """See `Output.begin`. Without a history, other jobs cannot be detected."""
        self._job, self._commit = job, short(job.name) if job.run_id else self.run
        history, is_there = self._history, self._exists()
        if history is not None and is_there:
            noted = None if job.run_id else self._noted()
            if noted is not None:
                self._commit, self._note = noted.commit, property_of(job)
            report = history.marks().get(self._commit)
            if report is not None:
                return Journal(self.mode, self.run, job, Owner.this_process(), [], report=report)
        if is_there and self.mode == "error":
            raise already_there(str(self.target))
        if history is not None and is_there and self.mode == "append" and self._is_noted:
            self._note_job()
        return None

    def may_have_published(self, run: str, job: JobKey) -> bool:
        """See `Output.may_have_published`. Without a history, it is not known."""
        history = self._history
        if history is None or not self._exists():
            return history is None
        return (short(job.name) if job.run_id else run) in history.marks()

    @property
    def _is_noted(self) -> bool:
        """Whether a later run can only find this job by a note."""
        return not self._job.run_id and not self._job.is_of_one_run

    def _notes(self) -> dict[str, str]:
        found = properties_of(self.spark, self.table.quoted)
        return {key: value for key, value in found.items() if key.startswith(PREFIX)}

    def _noted(self) -> InFlight | None:
        """Return the note of an earlier run of this job that has not reported.

        Raises:
            OutputBusyError: That run is still working.
        """
        text = self._notes().get(property_of(self._job))
        noted = None if text is None else InFlight.of(text)
        if noted is not None and noted.is_at_work:
            raise self._busy(str(noted.owner))
        return noted

    def _busy(self, found: str) -> OutputBusyError:
        """Return the error when another run of this job is working; `found` describes that run."""
        return OutputBusyError(
            explain(
                f"Another run of the same job is writing to the {self.target}.",
                expected="one run of a job at a time",
                found=found,
                hint="run the command again when the other one has ended.",
            )
        )

    def _note_job(self) -> None:
        note = InFlight(self._commit, Owner.this_process()).to_text()
        try:
            set_property(self.spark, self.table.quoted, property_of(self._job), note)
        except Exception as error:  # for example, the user may append but not alter the table
            _log.warning(
                "the %s does not take a property: if the job is killed just after its commit, the "
                "same command appends the rows again, unless it has a --run-id: %s",
                self.target,
                cause(error),
            )
        else:
            self._note = property_of(self._job)

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        self.held.hold(df)

    def take(self, files: Sequence[str]) -> None:
        """See `Output.take`."""
        raise NotImplementedError("tasks write no files of a table")

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Output.publish`."""
        rows = self.held.rows
        if rows is None:
            return
        self._may_commit_later = True  # an interrupt does not stop the statement in the JVM
        try:
            self._write(rows, account)
        except Exception as error:
            self._may_commit_later = is_disconnected(error) or _UNKNOWN in str(error)
            raise
        self._may_commit_later = False
        self.held.release()

    def _write(self, rows: DataFrame, account: Mapping[str, object]) -> None:
        name, history, exists = self.table.quoted, self._history, self._exists()
        if exists and self.mode == "error":  # another program created it after the check
            raise already_there(str(self.target))
        mark = {} if history is None else history.mark(self._commit, account)
        options = {**self.target.options, **mark}
        if not exists:
            settings = {} if history is None else history.settings(self._commit, account)
            with temporary_settings(self.spark, settings):
                self._create(rows, mark)
        elif self.mode == "append":
            append_rows(rows, name, options)
        elif self.mode == PARTITIONS:
            replace_partitions(rows, name, options)
        else:
            replace_rows(rows, name, options)

    def _create(self, rows: DataFrame, mark: Mapping[str, str]) -> None:
        """Create the table with its rows; the note of the job is a part of the transaction."""
        properties = {}
        if mark and self._is_noted:
            self._note = property_of(self._job)
            properties[self._note] = InFlight(self._commit, Owner.this_process()).to_text()
        options = {**self.target.options, **mark}
        partitions = self.target.partition_by
        create(rows, self.table.quoted, self.target.format, options, partitions, properties)

    def acknowledge(self) -> None:
        """See `Output.acknowledge`."""
        if self._note:
            unset_property(self.spark, self.table.quoted, self._note)

    def suspend(self) -> None:
        """See `Output.suspend`; staged rows are not kept."""
        self.discard()

    def discard(self) -> None:
        """See `Output.discard`. If rows are committed, or still may be, their note stays.

        So the same command finds them, and does not add them again.
        """
        self.held.release()
        if not self._note or not self._exists():
            return
        if self._may_commit_later or self.is_decided:
            note = InFlight(self._commit, None).to_text()
            set_property(self.spark, self.table.quoted, self._note, note)
        else:
            self.acknowledge()

    def _exists(self) -> bool:
        return self.spark.catalog.tableExists(self.table.quoted)
