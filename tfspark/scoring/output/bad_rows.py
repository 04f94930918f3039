"""The folder of bad rows beside the output of a job. Driver.

Bad rows are written as Parquet files with the columns of the input, the reason and the input file.
The folder has its own commit. It is published just before the output. Its record stays until the
job has reported. If a job was killed between the two, the next job into both withdraws the bad
rows, so bad rows never stay beside an output that does not belong to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from tfspark.errors import BindingError, OutputExistsError, UsageError, explain
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.journal import JobKey, Journal
from tfspark.scoring.output.lock import Holder
from tfspark.scoring.output.places import SUCCESS
from tfspark.scoring.output.protocol import Output
from tfspark.scoring.output.stores import resolve_links
from tfspark.spark.cluster.files import HadoopFiles

# Columns of a bad row after those of the input.
REASON = "_reason"
FILE = "_input_file"
# In the record of bad rows: the output of the job, and its run id.
_GOOD = "good"


@dataclass
class BadRowsOutput(PathOutput):
    """A folder of bad rows, which can be withdrawn after its publication.

    Attributes:
        good: The output of the job; it begins before the bad rows.
    """

    columns_hint: ClassVar[str] = (
        "bad rows have all columns of the input: choose another --bad-rows, or --mode overwrite; "
        "--mode applies to the output too."
    )

    good: Output
    _run_id: str = field(default="", init=False)

    @property
    def has_leftover(self) -> bool:
        """See `Output.has_leftover`; also true after a leftover of the output."""
        return super().has_leftover or self.good.has_leftover

    def check(self, *inputs: str) -> None:
        """See `Output.check`."""
        super().check(*inputs)
        if isinstance(self.good, PathOutput):  # the folder of a table, too
            self.check_beside(self.good.place)

    def already_there(self) -> OutputExistsError:
        """Return the error of a folder that exists in mode `error`."""
        return OutputExistsError(
            explain(
                f"The folder for bad rows exists: {self.target.path}.",
                expected="no existing output in mode error",
                hint="choose another --bad-rows, or --mode overwrite, or --mode append; --mode "
                "applies to the output too.",
            )
        )

    def check_beside(self, output: str) -> None:
        """Refuse the folder of the output, its subfolders and its parent folders.

        Raises:
            UsageError: When rows and bad rows would be in one folder.
        """
        there = resolve_links(HadoopFiles(self.spark, output).qualified(output)).rstrip("/")
        if f"{there}/".startswith(f"{self._path}/") or f"{self._path}/".startswith(f"{there}/"):
            problem = "Bad rows need a folder that is not the output's."
            raise UsageError(explain(problem, found=self._path, hint="choose another --bad-rows."))

    def names_beside(self, names: Sequence[str]) -> list[str]:
        """Return the columns of the input, which bad rows keep.

        Raises:
            BindingError: When the input has a column with the name of an additional column.
        """
        for name in names:
            if name.lower() in (REASON, FILE):
                problem = f"Bad rows get a column {name!r}, and the input has one already."
                raise BindingError(explain(problem, hint="rename it, or leave out --bad-rows."))
        return list(names)

    def begin(self, job: JobKey) -> Journal | None:
        """See `Output.begin`; called only if the output of the job is not published.

        Bad rows of killed jobs whose output was not published are withdrawn. As both locks are
        held, no such job can publish its output any more.
        """
        self._run_id = job.run_id
        self._commit.begin(JobKey(job.digest))
        for record in self._commit.records():
            if record.job == self._commit.job or self._is_abandoned(record):
                self._withdraw(record)
        self._check_again()
        self._open()
        return None

    def _is_abandoned(self, record: Journal) -> bool:
        """Whether the job of a record has ended and did not publish its rows in this output."""
        good = record.report.get(_GOOD)
        if not isinstance(good, Mapping) or good.get("output") != self.good.place:
            return False
        job = JobKey(record.job.digest, str(good.get("run_id")))
        if self._commit.lock.is_alive_after_wait(Holder(record.run, record.owner)):
            return False
        return not self.good.may_have_published(record.run, job)

    def clear(self, job: JobKey) -> None:
        """Take over the files that this job left after its output was published."""
        if super().has_leftover:
            self._commit.begin(JobKey(job.digest))

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Output.publish`."""
        good = {"output": self.good.place, "run_id": self._run_id}
        super().publish({**account, _GOOD: good})

    def withdraw(self) -> None:
        """Remove the published bad rows; rows that an overwrite replaced are not restored."""
        done = self._commit.record
        if done is not None and self._commit.lock.holds():
            self._withdraw(done)

    def _withdraw(self, done: Journal) -> None:
        for name in done.add:
            if name != SUCCESS:  # it may already belong to another job
                self._store.delete(f"{self._root}/{name}")
        if set(self._store.names(self._root)) <= {SUCCESS}:
            self._store.delete(self._root)
        self._commit.forget(done.job)


@dataclass(frozen=True)
class GoodAndBadRows:
    """The output of a job and its bad rows as one transaction; see `Transaction`.

    The output is locked first, then the bad rows. No job waits for a lock
    whose owner is alive.

    Attributes:
        good: The output.
        bad: The bad rows.
    """

    good: Output
    bad: BadRowsOutput

    def begin(self, job: JobKey) -> Journal | None:
        """See `Transaction.begin`."""
        done = self.good.begin(job)
        if done is None:
            self.bad.begin(job)
        else:
            self.bad.clear(job)
        return done

    def publish(self, account: Mapping[str, object]) -> None:
        """See `Transaction.publish`; an interrupted job is completed by its next start."""
        self.bad.publish(account)
        try:
            self.good.publish(account)
        except Exception:  # not after an interrupt: the next start completes the job
            if not self.good.is_decided:
                self.bad.withdraw()
            raise

    def acknowledge(self) -> None:
        """See `Transaction.acknowledge`; the record of the output is deleted last."""
        try:
            self.bad.acknowledge()
        except Exception:  # not after an interrupt, which ends the process and its lock
            self.good.suspend()  # keeps the record, so that the same command finds the job done
            raise
        self.good.acknowledge()

    def suspend(self) -> None:
        """See `Transaction.suspend`."""
        try:
            self.bad.suspend()
        finally:
            self.good.suspend()

    def discard(self) -> None:
        """See `Transaction.discard`."""
        try:
            self.bad.discard()
        finally:
            self.good.discard()
