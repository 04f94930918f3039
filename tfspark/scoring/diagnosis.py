"""Makes the table of `tfspark doctor`: all checks, with advice for each problem. Driver.

The checks are those of a job's preflight (`versions.mismatches`, `spark.model_loading`, the
worker's `checkup`). A job raises the first problem; the table shows all problems.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfspark.engine.registry import packages_of
from tfspark.errors import EngineError, TfsparkError, WorkerLostError, explain
from tfspark.foreign_text import one_line
from tfspark.model_title import title_of
from tfspark.options import ScoreOptions
from tfspark.scoring.exit_codes import TRY_AGAIN
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.executor_checkup import Answers, ask_executors
from tfspark.spark.model_loading import handle_of, model_of
from tfspark.spark.worker.checkup import Checkup, Fact
from tfspark.versions import installed_versions, mismatches

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DRIVER = "driver"
# Shown for a check that did not run, or a package that is not installed.
_NOTHING = "-"


@dataclass
class Diagnosis:
    """All checks of a session.

    Attributes:
        packages: The packages that the engine needs on the executors.
        columns: The driver, then the executors.
        rows: Check → column → result.
        advice: Check → advice; a check without advice has no problem.
        codes: The exit codes of the problems.
    """

    packages: Collection[str]
    columns: list[str] = field(default_factory=lambda: [DRIVER])
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    advice: dict[str, list[str]] = field(default_factory=dict)
    codes: set[int] = field(default_factory=set)

    def add(self, column: str, facts: Sequence[Fact]) -> None:
        """Add the results of one process."""
        if column not in self.columns:
            self.columns.append(column)
        for fact in facts:
            self.rows.setdefault(fact.check, {})[column] = fact.found
            if fact.advice:
                self.advise(fact.check, fact.advice)

    def add_executors(self, answers: Answers) -> None:
        """Add the results of the executors, and compare their versions with the driver's."""
        for executor, facts in answers.items():
            self.add(executor, facts)
            worker = self._found_by(executor)
            for mismatch in mismatches(self._found_by(DRIVER), worker, self.packages):
                self.advise(mismatch.name, f"{mismatch.problem} {mismatch.advice}")

    def advise(self, check: str, advice: str, code: int = EngineError.exit_code) -> None:
        """Add advice to a check, once."""
        self.codes.add(code)
        known = self.advice.setdefault(check, [])
        if advice not in known:
            known.append(advice)

    @contextmanager
    def checking(self, check: str) -> Iterator[None]:
        """Turn an error of a block into advice on a check."""
        try:
            yield
        except TfsparkError as error:
            self.rows.setdefault(check, {})
            self.advise(check, str(error), error.exit_code)

    def problem(self) -> TfsparkError | None:
        """Return an error with the number of failed checks; `None` if all checks passed."""
        if not self.advice:
            return None
        count = "1 check needs" if len(self.advice) == 1 else f"{len(self.advice)} checks need"
        kind = WorkerLostError if self.codes == {TRY_AGAIN} else EngineError
        return kind(explain(f"{count} attention.", hint="see the last column of the table."))

    def table(self) -> str:
        """Return the checks as a table; executors with equal results share a column."""
        shared = self._shared_columns()
        lines = [
            [check, *(row.get(column, _NOTHING) for column in shared), self._in_words(check)]
            for check, row in self.rows.items()
        ]
        return aligned([["check", *shared.values(), "advice"], *lines])

    def _found_by(self, column: str) -> Mapping[str, str]:
        return {check: row[column] for check, row in self.rows.items() if column in row}

    def _shared_columns(self) -> dict[str, str]:
        """Return the columns to print, with their titles."""
        same: dict[tuple[str, ...], list[str]] = {}
        for column in self.columns[1:]:
            answer = tuple(row.get(column, _NOTHING) for row in self.rows.values())
            same.setdefault(answer, []).append(column)
        titles = {columns[0]: _title(columns) for columns in same.values()}
        return {DRIVER: DRIVER, **titles}

    def _in_words(self, check: str) -> str:
        return " ".join(self.advice.get(check, [])) or "ok"


def diagnose(spark: SparkSession, model: str | None, options: ScoreOptions) -> Diagnosis:
    """Check the driver and every executor of a session, and a model if there is one."""
    packages = packages_of(options.engine)
    found = Diagnosis(packages)
    found.add(DRIVER, [Fact(name, version) for name, version in installed_versions().items()])
    package = None
    if model is not None:
        with found.checking("model"):
            package = model_of(spark, model, options)
            found.add(DRIVER, [Fact("model", title_of(package))])
    with found.checking("workers"), own_errors(), naming_lost_workers("the doctor"):
        found.add_executors(ask_executors(spark, Checkup(packages)))
    if package is not None and "workers" not in found.advice:
        with (
            found.checking("model"),
            own_errors(),
            naming_lost_workers(f"model {title_of(package)}"),
        ):
            handle = handle_of(spark, package, options)
            found.add_executors(ask_executors(spark, Checkup(packages, handle, options.timeout)))
    return found


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text with columns of equal width; each cell is one safe line."""
    cells = [[one_line(" ".join(cell.split())) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _title(executors: Sequence[str]) -> str:
    if len(executors) == 1:
        return f"executor {executors[0]}"
    return f"{len(executors)} executors such as {executors[0]}"
