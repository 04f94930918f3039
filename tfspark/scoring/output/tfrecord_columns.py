"""Refuses columns that a TFRecord file cannot hold. Driver."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from tfspark.errors import BindingError, UnsupportedTypeError, UsageError, explain
from tfspark.scoring.dataset import Dataset
from tfspark.spark.types import column_type


def refuse_unsupported_types(target: Dataset, columns: Mapping[str, str]) -> None:
    """Refuse columns of types that TFRecord cannot hold, and partitions, if the output is TFRecord.

    Args:
        target: The output of the rows.
        columns: Name → Spark type.

    Raises:
        BindingError: When there are such columns; the message names all of them.
        UsageError: When the output has partitions.
    """
    if target.format != "tfrecord":
        return
    from tfspark.tfrecord.columns import SPARK_TYPE, columns_of, record_type_of

    if target.partition_by:
        raise UsageError(
            explain("A TFRecord output has no partitions.", hint="leave out --partition-by.")
        )
    fields = [
        pa.field(name, column_type(kind) or pa.null(), metadata={SPARK_TYPE: kind})
        for name, kind in columns.items()
    ]
    try:
        columns_of(pa.schema(fields), record_type_of(target.option("recordType", "Example")))
    except UnsupportedTypeError as error:
        raise BindingError(str(error)) from error
