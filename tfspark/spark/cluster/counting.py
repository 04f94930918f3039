"""Counts the rows that flow through a DataFrame, while they flow. Driver.

Returns a DataFrame with the same rows, and a `RowCount`, which has its numbers after an action.
There is no second pass and no accumulator; it works on a classic session and on Connect.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted


@dataclass(frozen=True)
class RowCount:
    """Counts of one action; `rows` and `nulls` wait until it has run.

    A task that Spark runs again is counted again before Spark 4.3.
    """

    observation: Observation

    @property
    def rows(self) -> int:
        """Rows that flowed."""
        return int(self.observation.get["rows"])

    @property
    def nulls(self) -> int:
        """Rows whose watched column was null."""
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
