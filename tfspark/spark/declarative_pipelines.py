"""Refuses DataFrames of Declarative Pipelines that cannot be analysed. Driver.

A query function of `pyspark.pipelines` defines a DataFrame before its tables exist, so Spark cannot
return its columns there. A column function does not need them.
"""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from tfspark.errors import UsageError, explain
from tfspark.spark.cluster.failures import condition


def check_analysed(df: DataFrame) -> None:
    """Refuse a DataFrame whose columns Spark does not return.

    Raises:
        UsageError: When it belongs to a query function of a pipeline.
    """
    try:
        _ = df.schema
    except AnalysisException as error:
        if "PIPELINE_QUERY_FUNCTION" not in f"{condition(error)} {error}":
            raise
        raise UsageError(
            explain(
                "predict needs the columns, and Spark does not return them in a query function.",
                hint="use predict_udf: make score = predict_udf(model) outside of the function, "
                'and return df.withColumn("y", score(…)) from it.',
            )
        ) from error
