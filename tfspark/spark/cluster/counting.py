"""Counts the rows of a DataFrame while an action computes them. Driver.

Returns a DataFrame with the same rows and a `RowCount`, which has its numbers after the action. It
needs no second pass and no accumulator, and works on classic sessions and on Connect.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted


@dataclass(frozen=True)
class RowCount:
    """Counts of one action; `rows` and `nulls` wait until it has run.

    Before Spark 4.3, the rows of a retried task are counted twice.
    """

    observation: Observation

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.observation.get["rows"])

    @property
    def nulls(self) -> int:
        """Rows with a null in the watched column."""
        return int(self.observation.get["nulls"])


def counted(df: DataFrame, null_in: str | None = None) -> tuple[DataFrame, RowCount]:
    """Return the same rows, counted.

    Args:
        df: Any batch DataFrame.
        null_in: A column whose nulls are counted too.
    """
    nulls = sf.lit(False) if null_in is None else sf.col(quoted(null_in)).isNull()
    observation = Observation()
    rows = sf.count(sf.lit(1)).alias("rows")
    return df.observe(observation, rows, sf.count_if(nulls).alias("nulls")), RowCount(observation)
