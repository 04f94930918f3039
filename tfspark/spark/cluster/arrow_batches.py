"""The size of the Arrow batches between the JVM and the Python workers, for one action. Driver.

Spark 4.1 and later bound a batch by bytes, and measure the whole batch again after every row to do
so: a third of the JVM's time when rows are narrow. Where the size of a row is known beforehand, a
bound on rows says the same and costs nothing.

Invariant: what the user has set is left alone, and the session is as it was afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DayTimeIntervalType,
    NumericType,
    TimestampNTZType,
    TimestampType,
)

from tfspark import dtypes
from tfspark.signature import Signature
from tfspark.spark.cluster.settings import set_by_user

_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
_BYTES = "spark.sql.execution.arrow.maxBytesPerBatch"
_NO_BOUND = str(2**31 - 1)

# Large enough that a batch's fixed cost vanishes, small enough that several fit beside a model.
TARGET_BYTES = 4 << 20
MAX_ROWS = 1 << 16
# Of the widest number, date or timestamp, its validity bit included.
_BESIDE_BYTES = 17
_FIXED_SIZE = (
    NumericType,
    BooleanType,
    DateType,
    TimestampType,
    TimestampNTZType,
    DayTimeIntervalType,
)


@contextmanager
def sized_batches(
    spark: SparkSession, signature: Signature, beside: Sequence[DataType]
) -> Iterator[None]:
    """Bound Arrow batches by rows while the block runs, if the size of a row is known.

    Args:
        spark: The session.
        signature: Its inputs say how many bytes a row feeds.
        beside: Types of the columns that pass beside those that are fed.
    """
    size = row_bytes(signature, beside)
    # A Spark without the bound on bytes does not know its name either.
    if size is None or not spark.conf.isModifiable(_BYTES) or {_ROWS, _BYTES} & set_by_user(spark):
        yield
        return
    spark.conf.set(_ROWS, str(min(max(TARGET_BYTES // size, 1), MAX_ROWS)))
    spark.conf.set(_BYTES, _NO_BOUND)
    try:
        yield
    finally:
        spark.conf.unset(_ROWS)
        spark.conf.unset(_BYTES)


def row_bytes(signature: Signature, beside: Sequence[DataType]) -> int | None:
    """Return the bytes of a row on its way to Python; `None` when rows differ in size."""
    size = 0
    for spec in signature.inputs:
        dtype = dtypes.by_name(spec.dtype)
        if spec.row_size is None or dtype.is_string:
            return None
        size += spec.row_size * np.dtype(dtype.numpy).itemsize
    for kind in beside:
        if not isinstance(kind, _FIXED_SIZE):
            return None
        size += _BESIDE_BYTES
    return max(size, 1)
