"""Registers the data source `tfrecord` with a session. Driver."""

from __future__ import annotations

import pyspark
from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.tfrecord.records import crc32c


def register_tfrecord(spark: SparkSession) -> None:
    """Register the format `tfrecord` with a session, to read and write files of Examples.

    Args:
        spark: The session, classic or Connect.

    Raises:
        UsageError: When this Spark is older than 4.0, which has no Python data sources; or when
            google-crc32c is not installed.

    Example:
        >>> register_tfrecord(spark)  # doctest: +SKIP
        >>> spark.read.format("tfrecord").load("train.tfrecord").show()  # doctest: +SKIP
    """
    if int(pyspark.__version__.partition(".")[0]) < 4:
        raise UsageError(
            explain(
                "This Spark cannot read TFRecord files.",
                expected="Spark 4.0 or later, which has Python data sources",
                found=f"Spark {pyspark.__version__}",
                hint="use a newer Spark, or convert the files to Parquet.",
            )
        )
    crc32c()
    # Imported here, because its base classes do not exist in Spark 3.5.
    from tfspark.spark.tfrecord.source import TfRecordSource

    spark.dataSource.register(TfRecordSource)
