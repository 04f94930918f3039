"""Converts between Spark SQL types and the columns and Arrow types of the binding.

`column_type` also runs on executors; everything else on the driver.
"""

from __future__ import annotations

import re

import pyarrow as pa
from pyspark.sql import types as sql

from tfspark import dtypes, structs
from tfspark.bound_models import BoundModels
from tfspark.columns import Column, by_name
from tfspark.fetching import OutputBinding

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

# Why a row is bad; see `tfspark.rows.REASON_TYPE`.
_REASON = sql.StructType(
    [sql.StructField(name, sql.StringType()) for name in ("code", "column", "message")]
)

# Types that Spark cannot convert to Arrow; an interval of days and seconds can be converted.
_NOT_IN_ARROW = {"interval", "interval year", "interval month", "interval year to month"}


_DECIMAL = re.compile(r"decimal\((\d+),(-?\d+)\)")
_STRUCTS = {
    "vector": structs.VECTOR,
    "matrix": structs.MATRIX,
    "struct<origin:string,height:int,width:int,nChannels:int,mode:int,data:binary>": structs.IMAGE,
}


def columns_of(schema: sql.StructType) -> dict[str, Column]:
    """Return the columns of a DataFrame, with the Arrow types that Spark will use.

    Columns with equal names cannot be fed.
    """
    return by_name((field.name, column_of(field.dataType)) for field in schema)


def column_of(spark: sql.DataType) -> Column:
    """Describe a column of a Spark type."""
    name = spark.simpleString()
    if name in _STRUCTS:
        return Column.of(_STRUCTS[name])
    return Column(column_type(name), name)


def column_type(name: str) -> pa.DataType | None:
    """Return the Arrow type of a Spark SQL type name, or `None` when it cannot be fed."""
    depth = 0
    while name.startswith("array<"):
        name, depth = name.removeprefix("array<").removesuffix(">"), depth + 1
    if name.startswith(("string collate", "char(", "varchar(")):
        name = "string"
    element = dtypes.SQL_TO_ARROW.get(name)
    if decimal := _DECIMAL.fullmatch(name):
        element = pa.decimal128(int(decimal.group(1)), int(decimal.group(2)))
    return None if element is None else dtypes.nested(element, depth)


def passes(spark: sql.DataType) -> bool:
    """Whether values of a type can pass between Spark and Python as Arrow."""
    if isinstance(spark, sql.UserDefinedType):
        return passes(spark.sqlType())
    if isinstance(spark, sql.ArrayType):
        is_empty = isinstance(spark.elementType, sql.NullType) and not spark.containsNull
        return not is_empty and passes(spark.elementType)  # `array()`: Arrow has no such type
    if isinstance(spark, sql.MapType):
        is_empty = isinstance(spark.keyType, sql.NullType)  # `map()`: a key is never null
        return not is_empty and passes(spark.keyType) and passes(spark.valueType)
    if isinstance(spark, sql.StructType):
        unique = len(set(spark.names)) == len(spark.names)
        return unique and all(passes(field.dataType) for field in spark)
    return spark.simpleString() not in _NOT_IN_ARROW


def to_spark(arrow: pa.DataType) -> sql.DataType:
    """Return the Spark type of a prediction column."""
    element, depth = dtypes.element_of(arrow)
    spark: sql.DataType
    if pa.types.is_decimal(element):
        spark = sql.DecimalType(element.precision, element.scale)
    else:
        spark = _ATOMS[dtypes.sql_name(element)]
    for _ in range(depth):
        spark = sql.ArrayType(spark)
    return spark


def output_schema(kept: sql.StructType, bound: BoundModels) -> sql.StructType:
    """Return the kept columns, and for each model its predictions and its reason, if any."""
    added = [field for one in bound.bindings for field in _fields(one.outputs, one.reason)]
    added += [sql.StructField(one.column, to_spark(one.arrow)) for one in bound.differences]
    return sql.StructType([*kept.fields, *added])


def udf_type(outputs: tuple[OutputBinding, ...], reason: str | None = None) -> sql.DataType:
    """Return the result type of a column function.

    A single output without a reason has its own type; anything else is a struct.
    """
    if len(outputs) == 1 and reason is None:
        return to_spark(outputs[0].arrow)
    return sql.StructType(_fields(outputs, reason))


def _fields(outputs: tuple[OutputBinding, ...], reason: str | None) -> list[sql.StructField]:
    fields = [sql.StructField(output.column, to_spark(output.arrow)) for output in outputs]
    return fields if reason is None else [*fields, sql.StructField(reason, _REASON)]
