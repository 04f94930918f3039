"""The pandas UDF form of a column function; the only module that touches pandas. Executor.

In come pandas Series, each followed by a Series that says which rows are null; out go Series (or a
DataFrame for several outputs) with the values that the Arrow form gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.types import DataType, StructType

if TYPE_CHECKING:
    from tfspark.spark.functions import ArgumentScorer


def pandas_function(scorer: ArgumentScorer, result: DataType) -> Callable[..., Column]:
    """Return an iterator pandas UDF around a scorer."""

    def predict(arguments: Iterator[tuple[pd.Series, ...]]) -> Iterator[Any]:
        for array in scorer(_arrays(arguments)):
            yield _to_pandas(array)

    # Spark reads the kind of the function from its hints, which must be types, not strings.
    returned = pd.DataFrame if isinstance(result, StructType) else pd.Series
    predict.__annotations__ = {
        "arguments": Iterator[tuple[pd.Series, ...]],
        "return": Iterator[returned],  # type: ignore[valid-type]
    }
    return pandas_udf(predict, result)  # type: ignore[no-any-return, call-overload]


def _arrays(batches: Iterable[Any]) -> Iterator[tuple[pa.Array[Any], ...]]:
    for series in batches:
        half = len(series) // 2
        yield tuple(
            pa.Array.from_pandas(values.to_numpy(), mask=nulls.to_numpy(dtype=bool))
            if values.dtype.kind != "f" or nulls.any()
            else pa.array(values.to_numpy())
            for values, nulls in zip(series[:half], series[half:], strict=True)
        )


def _to_pandas(array: Any) -> Any:
    if pa.types.is_struct(array.type):
        return pd.DataFrame(
            {field.name: _to_pandas(array.field(field.name)) for field in array.type}
        )
    # Objects keep null apart from NaN, and integers from turning into floats.
    return pd.Series(array.to_pylist(), dtype=object)
