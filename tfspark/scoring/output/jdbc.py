"""A table of a JDBC catalog as the output of a job: a second table, then one transaction. Driver.

Spark writes the rows to a second table of the same schema, in many transactions. Then one
transaction moves them: INSERT … SELECT, after DELETE in mode overwrite. The table `tfspark_runs` in
the schema has one row for each job, its note. The transaction changes the note too, if the note
still names its run. So a run that another run has replaced moves nothing.

A new table is the second table, renamed; then its note changes. Between these steps, the note says
so, and a later run checks whether the second table still exists.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tfspark.errors import EngineError, explain
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.in_flight import InFlight, short
from tfspark.scoring.output.journal import JobKey, Journal
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.protocol import already_there
from tfspark.scoring.output.staged_name import is_staged_for, staged_name
from tfspark.scoring.output.table_name import TableName
from tfspark.spark.cluster import tables
from tfspark.spark.cluster.jdbc import Database, RefusedStatementError, Transaction
from tfspark.spark.cluster.names import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_RUNS = "tfspark_runs"
# Characters of the target's name, and of the run, in the second table's name; PostgreSQL allows 63.
_SHOWN, _TAIL = 30, 15
_STAGING, _RENAMING, _DONE = "staging", "renaming", "done"


@dataclass(frozen=True)
class _Note:
    """The row of a job in the table of runs."""

    run: str
    step: str
    staged: str
    in_flight: InFlight
    report: Mapping[str, Any]

    @property
    def has_ended(self) -> bool:
        """Whether its process is known to have ended."""
        return self.in_flight.owner is not None and self.in_flight.owner.has_ended()


@dataclass
class JdbcOutput(CatalogOutput):
    """A table of a JDBC catalog."""

    _has_claimed: bool = field(default=False, init=False)

    @cached_property
    def _database(self) -> Database:
        return Database(self.spark, self.table.catalog)

    @property
    def records_runs(self) -> bool:
        """See `Output.records_runs`."""
        return True

    @property
    def has_leftover(self) -> bool:
        """See `Output.has_leftover`: whether there are notes for `begin` to inspect."""
        return self._is_there(self.table.sibling(_RUNS))

    @property
    def is_decided(self) -> bool:
        """See `Output.is_decided`."""
        if not self._has_claimed:
            return False
        with self._database.transaction() as transaction:
            note = self._notes_in(transaction).get(self._commit)
        return note is not None and note.run == self.run and self._is_done(note)

    def begin(self, job: JobKey) -> Journal | None:
        """See `Output.begin`. Another run of the same job that has ended is replaced."""
        self._job, self._commit = job, self._note_of(job)
        if not self.has_leftover:
            self._create_runs()
        with self._database.transaction() as transaction:
            notes = self._notes_in(transaction)
            note = notes.pop(self._commit, None)
            is_done = note is not None and self._is_done(note)
            if not is_done:
                self._claim(transaction, note)
        self._has_claimed = True
        self._sweep(note, notes.values())
        if note is not None and is_done:
            owner = Owner.this_process()
            return Journal(self.mode, self.run, job, owner, [], report=note.report)
        if self.mode == "error" and self._exists():
            raise already_there(str(self.target))
        return None

    def may_have_published(self, run: str, job: JobKey) -> bool:  # noqa: ARG002
        """See `Output.may_have_published`."""
        with self._database.transaction() as transaction:
            note = self._notes_in(transaction).get(self._note_of(job))
        return note is not None and self._is_done(note)

    def _note_of(self, job: JobKey) -> str:
        """Return the key of the note of a job."""
        return short(f"{job.name} {self.table.quoted}")

    def _create_runs(self) -> None:
        name = self._database.quoted
        columns = {
            "job": "VARCHAR(64) NOT NULL PRIMARY KEY",
            "run": "VARCHAR(64) NOT NULL",
            "step": "VARCHAR(16) NOT NULL",
            "staged": "VARCHAR(128) NOT NULL",
            "owner": "VARCHAR(2000) NOT NULL",
            "report": self._database.text_type,
        }
        declared = ", ".join(f"{name(column)} {kind}" for column, kind in columns.items())
        with self._database.transaction() as transaction:
            transaction.run(f"CREATE TABLE {self._runs} ({declared})")

    @property
    def _runs(self) -> str:
        return self._in_database(_RUNS)

    def _in_database(self, name: str) -> str:
        return self._database.quoted(*self.table.schema, name)

    def _sweep(self, own: _Note | None, others: Iterable[_Note]) -> None:
        """Drop the second tables of earlier runs of this job, and of other runs that have ended.

        Tables of a run that was renaming are kept: its own job checks later whether they exist. A
        user who can write the notes can name any table there; only second tables are dropped.
        """
        ended = [note for note in others if note.step != _RENAMING and note.has_ended]
        notes = (*filter(None, [own]), *ended)
        names = {note.staged for note in notes if is_staged_for(note.staged, note.run[-_TAIL:])}
        schema = ".".join(map(quoted, (self.table.catalog, *self.table.schema)))
        for name in names & set(tables.tables_in(self.spark, schema)):
            tables.drop_table(self.spark, self.table.sibling(name).quoted)

    def _where(self, *columns: str) -> str:
        name = self._database.quoted
        return " AND ".join(f"{name(column)} = ?" for column in columns)

    def _notes_in(self, transaction: Transaction) -> dict[str, _Note]:
        """Return the notes of all jobs into tables of the schema."""
        columns = ("job", "run", "step", "staged", "owner", "report")
        names = ", ".join(map(self._database.quoted, columns))
        rows = transaction.rows(f"SELECT {names} FROM {self._runs}")
        return {
            job: _Note(run, step, staged, InFlight.of(owner), json.loads(report or "{}"))
            for job, run, step, staged, owner, report in rows
        }

    def _is_done(self, note: _Note) -> bool:
        renamed = note.step == _RENAMING and not self._is_there(self.table.sibling(note.staged))
        return note.step == _DONE or renamed

    def _claim(self, transaction: Transaction, note: _Note | None) -> None:
        """Write the note of this run.

        Raises:
            OutputBusyError: Another run of the same job is working.
        """
        if note is not None and note.in_flight.is_at_work:
            raise self._busy(str(note.in_flight.owner))
        owner = InFlight(self._commit, Owner.this_process()).to_text()
        values = (self.run, _STAGING, self._staged.name, owner)
        names = [self._database.quoted(name) for name in ("run", "step", "staged", "owner")]
        if note is not None:
            changes = ", ".join(f"{name} = ?" for name in names)
            where = self._where("job", "run")
            update = f"UPDATE {self._runs} SET {changes} WHERE {where}"
            if transaction.run(update, *values, self._commit, note.run) != 1:
                raise self._busy("a run that has just begun")
            return
        columns = ", ".join([self._database.quoted("job"), *names])
        insert = f"INSERT INTO {self._runs} ({columns}) VALUES (?, ?, ?, ?, ?)"
        try:
            transaction.run(insert, self._commit, *values)
        except RefusedStatementError as error:  # the key is taken
            raise self._busy("a run that has just begun") from error

    # --- rows

    @cached_property
    def _staged(self) -> TableName:
        """The second table, whose name no other run has."""
        return self.table.sibling(staged_name(self.table.name[:_SHOWN], self.run[-_TAIL:]))

    def stage(self, df: DataFrame) -> None:
        """See `Output.stage`."""
        name = self._staged.quoted
        if not (self._exists() and self._create_like_target()):
            options, partitions = self.target.options, self.target.partition_by
            empty = self.spark.createDataFrame([], df.schema)  # `df` would count rows
            tables.create(empty, name, self.target.format, options, partitions, {})
        tables.append_rows(df, name, self.target.options)

    def _create_like_target(self) -> bool:
        """Create the second table with the types of the target, if the database can."""
        staged, there = self._in_database(self._staged.name), self._in_database(self.table.name)
        query = f"SELECT {self._columns_of_target} FROM {there}"
        try:
            with self._database.transaction() as transaction:
                transaction.run(f"CREATE TABLE {staged} AS {query} WITH NO DATA")
        except RefusedStatementError:  # not all databases have this clause
            return False
        return True

    @property
    def _columns_of_target(self) -> str:
        names = self.spark.table(self.table.quoted).columns
        return ", ".join(map(self._database.quoted, names))

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Output.publish`."""
        self._check_count(account)
        if not self._exists():
            self._rename(account)
            return
        if self.mode == "error":  # another program created it after the check
            raise already_there(str(self.target))
        staged, there = self._in_database(self._staged.name), self._in_database(self.table.name)
        columns = self._columns_of_target
        with self._database.transaction() as transaction:
            if self.mode == "overwrite":
                transaction.run(f"DELETE FROM {there}")
            rows = f"SELECT {columns} FROM {staged}"
            transaction.run(f"INSERT INTO {there} ({columns}) {rows}")
            self._set_step(transaction, _DONE, account)

    def _check_count(self, account: Mapping[str, object]) -> None:
        """Compare the rows of the second table with the rows that were counted on their way."""
        staged = self._in_database(self._staged.name)
        try:
            with self._database.transaction() as transaction:
                ((found,),) = transaction.rows(f"SELECT COUNT(*) FROM {staged}")
        except RefusedStatementError as error:  # the table was dropped
            raise self._busy("a run that took over while this one was paused") from error
        if found != str(account["rows_out"]):
            raise EngineError(
                explain(
                    "Rows for the database were lost or duplicated; nothing is published.",
                    expected=f"{account['rows_out']} rows",
                    found=f"{found} rows",
                    hint="run the job again.",
                )
            )

    def _rename(self, account: Mapping[str, object]) -> None:
        with self._database.transaction() as transaction:
            self._set_step(transaction, _RENAMING, account)
        new = TableName("", self.table.schema, self.table.name)
        tables.rename_table(self.spark, self._staged.quoted, new.quoted)
        with self._database.transaction() as transaction:
            self._set_step(transaction, _DONE, account)

    def _set_step(self, transaction: Transaction, step: str, account: Mapping[str, object]) -> None:
        """Change the note of this run.

        Raises:
            OutputBusyError: Another run has replaced this one, so the transaction must not commit.
        """
        changes = ", ".join(f"{self._database.quoted(name)} = ?" for name in ("step", "report"))
        update = f"UPDATE {self._runs} SET {changes} WHERE {self._where('job', 'run')}"
        values = (step, json.dumps(account), self._commit, self.run)
        if transaction.run(update, *values) != 1:
            raise self._busy("a run that took over while this one was paused")

    def acknowledge(self) -> None:
        """See `Output.acknowledge`. Only the note of a run id stays."""
        tables.drop_table(self.spark, self._staged.quoted)
        if not self._job.run_id:
            with self._database.transaction() as transaction:
                transaction.run(
                    f"DELETE FROM {self._runs} WHERE {self._where('job')}", self._commit
                )

    def discard(self) -> None:
        """See `Output.discard`. The note of committed rows stays, so they are not added again."""
        if not self._has_claimed or self.is_decided:
            return
        tables.drop_table(self.spark, self._staged.quoted)
        delete = f"DELETE FROM {self._runs} WHERE {self._where('job', 'run')}"
        with self._database.transaction() as transaction:
            transaction.run(delete, self._commit, self.run)

    def _is_there(self, table: TableName) -> bool:
        return self.spark.catalog.tableExists(table.quoted)
