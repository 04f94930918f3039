"""The way of rows through Spark's own readers and writers: any source, format or table. Driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfspark.package import ModelPackage
from tfspark.scoring.job import BatchJob, Outcome, Plan
from tfspark.scoring.publish import Output
from tfspark.spark.batches import sized_batches
from tfspark.spark.counting import counted
from tfspark.spark.dataframe import predict
from tfspark.spark.workers import worker_versions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType


def plan_through_spark(
    spark: SparkSession, job: BatchJob, package: ModelPackage, output: Output
) -> Plan:
    """Return the plan of a job that reads and writes as Spark does.

    Raises:
        InputNotFoundError: No such input.
        BindingError: Inputs, outputs and columns do not fit.
    """
    rows, rows_in = counted(job.source.read(spark))
    scored = predict(
        rows,
        package,
        feed=job.feed,
        fetch=job.fetch,
        keep=job.keep,
        narrow=job.narrow,
        strings=job.strings,
        **job.options,
    )
    # A model never returns null, so a null prediction is a row with a null input.
    scored, rows_out = counted(scored, null_in=scored.columns[-1])

    def stage() -> Outcome:
        versions = worker_versions(spark)
        with sized_batches(spark, package.signature, _beside(job, package, scored)):
            output.stage(scored)
        return Outcome(rows_in.rows, rows_out.rows, rows_out.nulls, versions)

    return Plan(package, output, "spark", dict(scored.dtypes), stage)


def _beside(job: BatchJob, package: ModelPackage, scored: DataFrame) -> list[DataType]:
    """Return the types of the kept columns that feed nothing."""
    outputs = len(job.fetch or package.signature.outputs)
    given = [[value] if isinstance(value, str) else value for value in job.feed.values()]
    fed = {name for names in given for name in names}
    return [field.dataType for field in scored.schema.fields[:-outputs] if field.name not in fed]
