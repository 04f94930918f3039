"""Splits a scored DataFrame into good and bad rows, with the file of each row. Driver."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted


def with_file(df: DataFrame, name: str) -> DataFrame:
    """Add the file of each row. The column is a struct of one field, so no input takes it."""
    file = sf.input_file_name()
    return df.withColumn(name, sf.struct(sf.when(file != "", file).alias(name)))


def good_rows(df: DataFrame, reason: str, columns: Sequence[str]) -> DataFrame:
    """Return these columns of the rows without a reason."""
    return df.where(sf.col(reason).isNull()).select(*map(quoted, columns))


def bad_rows(df: DataFrame, reason: str, file: str, columns: Sequence[str]) -> DataFrame:
    """Return these columns, the reason and the file, for the rows that have a reason."""
    found = sf.col(file).getField(file).alias(file)
    return df.where(sf.col(reason).isNotNull()).select(*map(quoted, columns), reason, found)
