"""Converts the schema of the data source between Spark and Arrow. Driver and executor."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import types as sql

from tfspark.spark.types import column_type

_ATOMS = {pa.int64(): sql.LongType(), pa.float32(): sql.FloatType(), pa.binary(): sql.BinaryType()}


def arrow_schema(schema: sql.StructType) -> pa.Schema:
    """Return the Arrow schema that Spark expects of the reader.

    A type that no feature has becomes the type `null`, which is refused later.
    """
    return pa.schema(
        [(field.name, column_type(field.dataType.simpleString()) or pa.null()) for field in schema]
    )


def spark_schema(schema: pa.Schema) -> sql.StructType:
    """Return the Spark schema of inferred columns."""
    return sql.StructType(
        [sql.StructField(entry.name, _spark_type(entry.type)) for entry in schema]
    )


def _spark_type(arrow: pa.DataType) -> sql.DataType:
    if pa.types.is_list(arrow):
        return sql.ArrayType(_spark_type(arrow.value_type))
    return _ATOMS[arrow]
