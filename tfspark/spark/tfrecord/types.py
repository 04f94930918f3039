"""Converts the schema of the data source between Spark and Arrow. Driver and executor."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import types as sql

from tfspark.spark.types import column_type
from tfspark.tfrecord.columns import SPARK_TYPE

_ATOMS = {pa.int64(): sql.LongType(), pa.float32(): sql.FloatType(), pa.binary(): sql.BinaryType()}


def arrow_schema(schema: sql.StructType) -> pa.Schema:
    """Return the Arrow schema that Spark expects of the reader.

    Spark compares it with the schema of the batches, so it also states which columns and elements
    are nullable. A type that no feature has becomes the type `null`, which is refused later.
    """
    return pa.schema(
        [
            pa.field(
                field.name,
                _arrow_type(field.dataType),
                field.nullable,
                {SPARK_TYPE: field.dataType.simpleString()},
            )
            for field in schema
        ]
    )


def _arrow_type(spark: sql.DataType) -> pa.DataType:
    if isinstance(spark, sql.ArrayType):
        return pa.list_(pa.field("element", _arrow_type(spark.elementType), spark.containsNull))
    return column_type(spark.simpleString()) or pa.null()


def spark_schema(schema: pa.Schema) -> sql.StructType:
    """Return the Spark schema of inferred columns."""
    return sql.StructType(
        [sql.StructField(entry.name, _spark_type(entry.type)) for entry in schema]
    )


def _spark_type(arrow: pa.DataType) -> sql.DataType:
    if pa.types.is_list(arrow):
        return sql.ArrayType(_spark_type(arrow.value_type))
    return _ATOMS[arrow]
