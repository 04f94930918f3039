"""Adds the expressions of `feed` to a frame, with one value for each row. Driver.

Spark would multiply the rows for a generator such as `explode`, and then each prediction would
belong to an element, not to a row. Such expressions are refused, and so are expressions that Spark
cannot compute, such as an aggregate or an unknown column.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, explain
from tfspark.foreign_text import one_line
from tfspark.spark.cluster.failures import cause


def one_value(expression: Column) -> Column:
    """Return an expression with the same value; Spark refuses it if it makes several rows of one.

    Spark allows generators only outside of all functions, and its optimiser removes this function.
    """
    return sf.coalesce(expression)


def with_expressions(frame: DataFrame, expressions: Sequence[Column]) -> DataFrame:
    """Return a frame with more columns.

    Raises:
        BindingError: When Spark cannot compute one of them for each row.
    """
    if not expressions:
        return frame
    try:
        wider = frame.select("*", *expressions)
        _ = wider.schema  # Spark Connect analyses a frame only when it is asked for the columns
    except AnalysisException as error:
        raise BindingError(
            explain(
                "Spark cannot compute an expression of feed for each row.",
                expected="an expression of the columns with one value for each row",
                found=one_line(cause(error)),
                hint="compute generators such as explode, and aggregates, in the DataFrame first.",
            )
        ) from error
    return wider
