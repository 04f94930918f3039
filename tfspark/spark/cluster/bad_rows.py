"""Good and bad rows of a scored DataFrame, and the file that each row is from. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted


def with_file(df: DataFrame, name: str) -> DataFrame:
    """Add the file of each row, as a struct of one field, so that it feeds no input."""
    file = sf.input_file_name()
    return df.withColumn(name, sf.struct(sf.when(file != "", file).alias(name)))


def good_rows(df: DataFrame, reason: str, columns: Sequence[str]) -> DataFrame:
    """Return these columns of the rows without a reason."""
    return df.where(sf.col(reason).isNull()).select(*map(quoted, columns))


def bad_rows(df: DataFrame, reason: str, file: str, columns: Sequence[str]) -> DataFrame:
    """Return these columns of the rows with a reason, the reason, and the file of `with_file`."""
    found = sf.col(file).getField(file).alias(file)
    return df.where(sf.col(reason).isNotNull()).select(*map(quoted, columns), reason, found)
