"""Sets the size of Arrow batches between the JVM and Python, for one action. Driver.

Spark 4.1 and later limit a batch by bytes, and measure the whole batch again after every row: a
third of the JVM's time when rows are narrow. If the size of a row is known, a limit on rows has the
same effect and costs nothing.

Invariant: settings of the user are not changed, and the session is restored afterwards.
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

ROWS_SETTING = "spark.sql.execution.arrow.maxRecordsPerBatch"
BYTES_SETTING = "spark.sql.execution.arrow.maxBytesPerBatch"
NO_BOUND = str(2**31 - 1)

# Large enough to make the fixed cost of a batch small, small enough for memory.
TARGET_BYTES = 4 << 20
MAX_ROWS = 1 << 16
# The widest number, date or timestamp, including its validity bit.
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
    spark: SparkSession, signatures: Sequence[Signature], beside: Sequence[DataType]
) -> Iterator[None]:
    """Limit Arrow batches by rows while the block runs, if the size of a row is known.

    Args:
        spark: The session.
        signatures: The signatures of the models; their inputs give the bytes of a row.
        beside: Types of the other columns that pass to Python.
    """
    size = row_bytes(signatures, beside)
    # A Spark without the limit on bytes does not know the setting.
    if (
        size is None
        or not spark.conf.isModifiable(BYTES_SETTING)
        or {ROWS_SETTING, BYTES_SETTING} & set_by_user(spark)
    ):
        yield
        return
    spark.conf.set(ROWS_SETTING, str(rows_per_batch(size)))
    spark.conf.set(BYTES_SETTING, NO_BOUND)
    try:
        yield
    finally:
        spark.conf.unset(ROWS_SETTING)
        spark.conf.unset(BYTES_SETTING)


def rows_per_batch(size: int) -> int:
    """Return the rows of an Arrow batch whose rows have this many bytes."""
    return min(max(TARGET_BYTES // size, 1), MAX_ROWS)


def row_bytes(signatures: Sequence[Signature], beside: Sequence[DataType]) -> int | None:
    """Return the bytes of a row on its way to Python; `None` when rows differ in size."""
    size = 0
    for spec in [spec for signature in signatures for spec in signature.inputs]:
        dtype = dtypes.by_name(spec.dtype)
        if spec.row_size is None or dtype.is_string:
            return None
        size += spec.row_size * np.dtype(dtype.numpy).itemsize
    for kind in beside:
        if not isinstance(kind, _FIXED_SIZE):
            return None
        size += _BESIDE_BYTES
    return max(size, 1)
