"""Spark SQL types ↔ the columns and Arrow types that the binding speaks of. Driver only."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import types as sql

from tfspark import dtypes
from tfspark.schema import Binding, Column, OutputBinding

_ATOMS: dict[str, sql.DataType] = {
    "tinyint": sql.ByteType(),
    "smallint": sql.ShortType(),
    "int": sql.IntegerType(),
    "bigint": sql.LongType(),
    "float": sql.FloatType(),
    "double": sql.DoubleType(),
    "boolean": sql.BooleanType(),
    "string": sql.StringType(),
    "binary": sql.BinaryType(),
}


def columns_of(schema: sql.StructType) -> dict[str, Column]:
    """Return the columns of a DataFrame, with the Arrow type in which Spark will hand them over."""
    return {
        field.name: Column(_arrow(field.dataType), field.dataType.simpleString())
        for field in schema
    }


def to_spark(arrow: pa.DataType) -> sql.DataType:
    """Return the Spark type of a prediction column."""
    element, depth = dtypes.element_of(arrow)
    spark = _ATOMS[dtypes.sql_name(element)]
    for _ in range(depth):
        spark = sql.ArrayType(spark)
    return spark


def output_schema(kept: sql.StructType, binding: Binding) -> sql.StructType:
    """Return the kept columns followed by the prediction columns."""
    return sql.StructType([*kept.fields, *_fields(binding.outputs)])


def udf_type(outputs: tuple[OutputBinding, ...]) -> sql.DataType:
    """Return the result type of a column function: one output as it is, several as a struct."""
    if len(outputs) == 1:
        return to_spark(outputs[0].arrow)
    return sql.StructType(_fields(outputs))


def _fields(outputs: tuple[OutputBinding, ...]) -> list[sql.StructField]:
    return [sql.StructField(output.column, to_spark(output.arrow)) for output in outputs]


def _arrow(spark: sql.DataType) -> pa.DataType | None:
    """Return the Arrow type of a Spark type, or `None` when it cannot be fed."""
    depth = 0
    while isinstance(spark, sql.ArrayType):
        spark, depth = spark.elementType, depth + 1
    if isinstance(spark, sql.StringType):  # also a collated string
        return dtypes.nested(pa.string(), depth)
    element = dtypes.SQL_TO_ARROW.get(spark.simpleString())
    return None if element is None else dtypes.nested(element, depth)
