"""Refuses what Declarative Pipelines cannot do with a DataFrame. Driver.

A query function of `pyspark.pipelines` defines a DataFrame before its tables exist, so Spark lets
nobody ask for its columns there. A column function does not ask.
"""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from tfspark.errors import UsageError, explain
from tfspark.spark.cluster.failures import condition


def check_analysed(df: DataFrame) -> None:
    """Refuse a DataFrame whose columns Spark does not tell.

    Raises:
        UsageError: It is that of a query function of a pipeline.
    """
    try:
        _ = df.schema
    except AnalysisException as error:
        if "PIPELINE_QUERY_FUNCTION" not in f"{condition(error)} {error}":
            raise
        raise UsageError(
            explain(
                "predict has to know the columns, which a query function of a pipeline cannot ask.",
                hint="use predict_udf: make score = predict_udf(model) outside of the function, "
                'and return df.withColumn("y", score(…)) from it.',
            )
        ) from error
