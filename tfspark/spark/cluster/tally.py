"""Counts the rows of finished tasks while a job runs. Driver of a classic session.

Each task adds two numbers to accumulators, which Spark sends with the result of the task. Only the
progress line shows these counts; the counts of a report come from the results of the tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pyspark import Accumulator
from pyspark.sql import SparkSession

Split = TypeVar("Split")
Result = TypeVar("Result")


@dataclass
class Tally:
    """The row counts of a running job; another thread reads them.

    Attributes:
        total: Rows of the input; `None` if unknown.
        kept: Rows that an earlier run had scored.
    """

    total: int | None = None
    kept: int = 0
    _counts: tuple[Accumulator[int], Accumulator[int]] | None = None

    @property
    def rows_done(self) -> int | None:
        """Rows of finished tasks, plus the kept rows; `None` if rows are not counted."""
        if self._counts is None:
            return None
        done = self.kept + self._counts[0].value
        return done if self.total is None else min(done, self.total)

    @property
    def rejected(self) -> int:
        """Bad rows of finished tasks."""
        return 0 if self._counts is None else self._counts[1].value

    def counting(
        self,
        spark: SparkSession,
        task: Callable[[int, Split], Result],
        counts: Callable[[Result], tuple[int, int]],
    ) -> Callable[[int, Split], Result]:
        """Return a task that does the same and also counts its rows.

        Args:
            spark: The session.
            task: Takes a number and a split.
            counts: Returns the rows and the bad rows of a result.
        """
        done, rejected = spark.sparkContext.accumulator(0), spark.sparkContext.accumulator(0)
        self._counts = (done, rejected)

        def counted(number: int, split: Split) -> Result:
            result = task(number, split)
            rows, bad = counts(result)
            done.add(rows)
            rejected.add(bad)
            return result

        return counted
