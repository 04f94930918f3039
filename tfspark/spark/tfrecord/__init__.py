"""The data source `tfrecord` for Spark. Driver and executor."""

from tfspark.spark.tfrecord.register import register_tfrecord

__all__ = ["register_tfrecord"]
