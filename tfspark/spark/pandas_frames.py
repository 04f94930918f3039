"""Frames of pandas API on Spark, as DataFrames with their index in one column. Driver.

The index is one struct column, so that it is kept and cannot feed the model by accident. Spark has
only the codes of a categorical column, so its values are scored and kept in their place. The result
has the labels and dtypes of the caller's columns; a categorical index becomes an index of values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from tfspark.spark.cluster.names import numbered, quoted

# Converts a scored DataFrame to a frame of the caller's kind.
ConvertBack: TypeAlias = Callable[[DataFrame], Any]

_INDEX = "__tfspark_index__"


def is_pandas_on_spark(df: object) -> bool:
    """Whether this is a frame of `pyspark.pandas`; checked without importing it."""
    return type(df).__module__ == "pyspark.pandas.frame"


def as_dataframe(df: Any) -> tuple[DataFrame, list[str], ConvertBack]:
    """Return a DataFrame, the column of the index, if any, and a function that converts back."""
    if not is_pandas_on_spark(df):
        return df, [], lambda scored: scored
    names = list(df.index.names)
    levels = [f"{_INDEX}{level}" for level in range(len(names))]
    rows = df.to_spark(index_col=levels)
    data = rows.columns[len(levels) :]
    index = [_values(name, dtype) for name, dtype in zip(levels, _dtypes_of(df.index), strict=True)]
    columns = [_values(name, dtype) for name, dtype in zip(data, df.dtypes, strict=True)]
    packed = rows.select(sf.struct(*index).alias(_INDEX), *columns)

    def convert_back(scored: DataFrame) -> Any:
        others = [name for name in scored.columns if name != _INDEX]
        fields = [sf.col(_INDEX)[level].alias(level) for level in levels]
        pairs = zip(others, numbered(len(others)), strict=True)
        plain = [sf.col(quoted(name)).alias(number) for name, number in pairs]
        result = scored.select(*fields, *plain).pandas_api(index_col=levels)
        result.index.names = names
        result = _with_dtypes(result, others, dict(zip(data, df.dtypes, strict=True)))
        result.columns = _labels(others, dict(zip(data, df.columns, strict=True)), df.columns)
        return result

    return packed, [_INDEX], convert_back


def _dtypes_of(index: Any) -> list[Any]:
    """Return the dtype of each level of an index."""
    return [index.get_level_values(level).dtype for level in range(index.nlevels)]


def _values(name: str, dtype: Any) -> Column:
    """Return a column; of a categorical one, the values in place of the codes."""
    column = sf.col(quoted(name))
    categories = list(getattr(dtype, "categories", ()))
    if not categories:
        return column
    pairs = ((sf.lit(code), sf.lit(value)) for code, value in enumerate(categories))
    return sf.create_map(*(part for pair in pairs for part in pair))[column].alias(name)


def _with_dtypes(result: Any, names: list[str], dtypes: dict[str, Any]) -> Any:
    """Give the columns of the caller their dtypes, where Spark's type does not say them."""
    found = zip(result.columns, names, result.dtypes, strict=True)
    lost = {
        number: dtypes[name] for number, name, dtype in found if dtypes.get(name, dtype) != dtype
    }
    return result.astype(lost) if lost else result


def _labels(names: list[str], label_of: dict[str, Any], before: Any) -> Any:
    """Return the labels of all columns; those of new columns have as many levels."""
    import pandas as pd

    if before.nlevels == 1:
        labels = [label_of.get(name, name) for name in names]
        return pd.Index(labels, name=before.name, tupleize_cols=False)
    added = ("",) * (before.nlevels - 1)
    wide = [label_of.get(name, (name, *added)) for name in names]
    return pd.MultiIndex.from_tuples(wide, names=before.names)
