"""Frames of pandas API on Spark, as DataFrames with their index in one column. Driver.

The index is one struct column, so that it is kept and cannot feed the model by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import quoted

# Converts a scored DataFrame to a frame of the caller's kind.
ConvertBack: TypeAlias = Callable[[DataFrame], Any]

_INDEX = "__tfspark_index__"


def is_pandas_on_spark(df: object) -> bool:
    """Whether this is a frame of `pyspark.pandas`, which is not imported for the answer."""
    return type(df).__module__ == "pyspark.pandas.frame"


def as_dataframe(df: Any) -> tuple[DataFrame, list[str], ConvertBack]:
    """Return a DataFrame, the column of the index, if any, and a function that converts back."""
    if not is_pandas_on_spark(df):
        return df, [], lambda scored: scored
    names = list(df.index.names)
    levels = [f"{_INDEX}{level}" for level in range(len(names))]
    rows = df.to_spark(index_col=levels)
    columns = [sf.col(quoted(name)) for name in rows.columns if name not in levels]
    packed = rows.select(sf.struct(*levels).alias(_INDEX), *columns)

    def convert_back(scored: DataFrame) -> Any:
        fields = [sf.col(_INDEX)[level].alias(level) for level in levels]
        others = [sf.col(quoted(name)) for name in scored.columns if name != _INDEX]
        result = scored.select(*fields, *others).pandas_api(index_col=levels)
        result.index.names = names
        return result

    return packed, [_INDEX], convert_back
