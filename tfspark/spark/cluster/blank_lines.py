"""Counts rows that would be blank lines of a text file, while an action writes them. Driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from tfspark.spark.cluster.names import quoted


def counting_blanks(
    df: DataFrame, names: Sequence[str], *, null_is_blank: bool, blank_text: str
) -> tuple[DataFrame, Callable[[], int]]:
    """Return the same rows, and a function that returns the number of blank lines after an action.

    Args:
        df: Any batch DataFrame.
        names: The columns of the file; a line is blank if all its values are blank.
        null_is_blank: Whether a null is written as blanks.
        blank_text: A regular expression for strings that are written as blanks; empty if there are
            none.
    """

    def is_blank(name: str) -> Column:
        column = sf.col(quoted(name))
        blank = column.isNull() if null_is_blank else sf.lit(False)
        if blank_text and isinstance(df.schema[name].dataType, StringType):
            blank |= sf.coalesce(column.rlike(blank_text), sf.lit(False))
        return blank

    observation = Observation()
    blanks = sf.count_if(reduce(Column.__and__, map(is_blank, names))).alias("blanks")
    return df.observe(observation, blanks), lambda: int(observation.get["blanks"])
