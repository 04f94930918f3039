import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyspark.ml.linalg import VectorUDT
from pyspark.sql import types as sql

from tfspark import predict
from tfspark.dtypes import TABLE
from tfspark.errors import BindingError
from tfspark.spark.types import column_type, columns_of, passes, to_spark

NAN, INF = float("nan"), float("inf")

SCALARS = {
    "float32": ("float", [0.0, -1.5, 3.4028234663852886e38, INF, -INF]),
    "float64": ("double", [0.1, 1e308, -INF]),
    "int8": ("tinyint", [-128, 127]),
    "int16": ("smallint", [-(2**15), 2**15 - 1]),
    "int32": ("int", [-(2**31), 2**31 - 1]),
    "int64": ("bigint", [-(2**63), 2**63 - 1, 2**53 + 1]),
    "bool": ("boolean", [True, False]),
    "string": ("string", ["", "a", "größe", "列", "\0", "x" * 1000, "🙂"]),
}


def outputs(spark, model, sql_type, values, **options):
    df = spark.createDataFrame([(value,) for value in values], f"x {sql_type}").coalesce(1)
    scored = predict(df, model, **options)
    return scored.schema["y"].dataType.simpleString(), [row.y for row in scored.collect()]


@pytest.fixture(scope="module")
def everything(save):
    """Every scalar type, flat and to depth 3, in one model; outputs are `y_<input>`."""
    import tensorflow as tf

    specs = [
        tf.TensorSpec((None,) * (1 + depth), dtype, f"{dtype}_{depth}")
        for dtype in SCALARS
        for depth in range(4)
    ]

    def same(*tensors):
        return {
            f"y_{spec.name}": tf.identity(one) for spec, one in zip(specs, tensors, strict=True)
        }

    return save("everything", same, *specs)


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_every_type_to_depth_three_comes_back_exactly(spark, everything, engine):
    def nested(values, depth):
        return values if depth == 0 else nested([[value, value] for value in values], depth - 1)

    rows = max(len(values) for _, values in SCALARS.values())
    columns = {
        f"{dtype}_{depth}": ("array<" * depth + kind + ">" * depth, nested(values, depth))
        for dtype, (kind, values) in SCALARS.items()
        for depth in range(4)
    }
    data = [
        tuple(values[row % len(values)] for _, values in columns.values()) for row in range(rows)
    ]
    schema = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
    scored = predict(spark.createDataFrame(data, schema), everything, engine=engine)
    kinds = {field.name: field.dataType.simpleString() for field in scored.schema}
    for row in scored.collect():
        for name in columns:
            assert row[f"y_{name}"] == row[name]
            assert kinds[f"y_{name}"] == kinds[name]


@pytest.mark.parametrize(
    ("dtype", "source", "values", "kind"),
    [
        ("uint8", "smallint", [0, 255], "smallint"),
        ("uint16", "int", [0, 65535], "int"),
        ("uint32", "bigint", [0, 2**32 - 1], "bigint"),
        ("uint64", "decimal(20,0)", [Decimal(0), Decimal(2**64 - 1)], "decimal(20,0)"),
        ("uint64", "decimal(22,2)", [Decimal(2**63), None], "decimal(20,0)"),
        ("uint64", "bigint", [0, 2**63 - 1], "decimal(20,0)"),
        ("float16", "float", [0.5, -65504.0], "float"),
        ("int8", "tinyint", [-128, 127], "tinyint"),
    ],
)
def test_what_spark_has_no_type_for_comes_out_wider(spark, identity, dtype, source, values, kind):
    assert outputs(spark, identity(dtype), source, values, narrow=True) == (kind, values)


def test_strings_as_bytes(spark, identity):
    values = [bytearray(b"\xff\x00"), None, bytearray(b""), bytearray("größe", "utf-8")]
    options = {"strings": "binary"}
    kind, found = outputs(spark, identity("string"), "binary", values, **options)
    assert (kind, found) == ("binary", values)
    nested = [[bytearray(b"\xff")], [], None]
    kind, found = outputs(
        spark, identity("string", (None, None)), "array<binary>", nested, **options
    )
    assert (kind, found) == ("array<binary>", nested)


def test_text_that_is_none_is_named(spark, identity, refusal):
    df = spark.sql("SELECT x FROM VALUES (X'61'), (X'ff') AS t(x)").coalesce(1)
    message = refusal(predict(df, identity("string")))
    assert "column 'y', row 1 of partition 0: output bytes b'\\xff' are not UTF-8" in message


@pytest.mark.parametrize(
    ("dtype", "kind", "rows"),
    [
        ("int64", "array<bigint>", [[1, 2], None, [3, None], [], [2**62]]),
        ("bool", "array<boolean>", [[True, None], [False]]),
        ("string", "array<string>", [["a", ""], [None], None, ["größe"]]),
        ("float64", "array<double>", [[1.0], [None, 1.0], []]),
    ],
)
def test_a_null_at_any_depth_gives_null(spark, identity, dtype, kind, rows):
    expected = [None if row is None or None in row else row for row in rows]
    assert outputs(spark, identity(dtype, (None, None)), kind, rows)[1] == expected
    deep = [None if row is None else [row] for row in rows]
    expected = [None if row is None else [row] for row in expected]
    assert (
        outputs(spark, identity(dtype, (None, None, None)), f"array<{kind}>", deep)[1] == expected
    )


def test_nan_is_a_value(spark, identity):
    for shape, kind, row in [((None,), "double", NAN), ((None, None), "array<float>", [NAN, 1.0])]:
        dtype = "float64" if shape == (None,) else "float32"
        assert str(outputs(spark, identity(dtype, shape), kind, [row])[1]) == str([row])


@pytest.mark.parametrize(
    ("dtype", "kind", "value", "message"),
    [
        ("uint8", "int", 256, "256 does not fit uint8"),
        ("uint8", "int", -1, "-1 does not fit uint8"),
        ("int32", "bigint", 2**31, "2147483648 does not fit int32"),
        ("int64", "double", 1.5, "1.5 does not fit int64"),
        ("int64", "double", NAN, "nan does not fit int64"),
        ("float32", "double", 1e39, "1e+39 does not fit float32"),
        ("float16", "float", 65520.0, "65520.0 does not fit float16"),
    ],
)
def test_a_value_out_of_range_is_named(spark, identity, refusal, dtype, kind, value, message):
    df = spark.createDataFrame([(value,)], f"x {kind}").coalesce(1)
    assert f"row 0 of partition 0: {message}" in refusal(predict(df, identity(dtype), narrow=True))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", datetime.date(2020, 1, 1)),
        ("timestamp", datetime.datetime(2020, 1, 1)),
        ("struct<a:float>", (1.0,)),
        ("map<string,float>", {"a": 1.0}),
        ("array<date>", []),
        ("string", "1"),
    ],
)
def test_a_column_that_cannot_feed_is_named_with_its_type(spark, identity, kind, value):
    df = spark.createDataFrame([(value,)], f"x {kind}")
    with pytest.raises(BindingError) as caught:
        predict(df, identity("float32"))
    assert "column 'x'" in str(caught.value)
    assert kind in str(caught.value)


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_spark_types_of_outputs_come_back_as_columns(row, depth):
    arrow = row.arrow
    for _ in range(depth):
        arrow = pa.list_(arrow)
    spark = to_spark(arrow)
    assert spark.simpleString() == "array<" * depth + row.sql + ">" * depth
    assert column_type(spark.simpleString()) == arrow


@pytest.mark.parametrize(
    ("name", "arrow"),
    [
        ("string collate UNICODE", pa.string()),
        ("array<string collate UTF8_LCASE>", pa.list_(pa.string())),
        ("varchar(3)", pa.string()),
        ("char(3)", pa.string()),
        ("binary", pa.binary()),
        ("decimal(3,1)", pa.decimal128(3, 1)),
        ("array<decimal(3,1)>", pa.list_(pa.decimal128(3, 1))),
        ("void", None),
        ("array<void>", None),
        ("map<string,array<int>>", None),
        ("struct<a:array<int>>", None),
        ("interval day", None),
    ],
)
def test_what_can_be_fed_by_its_name(name, arrow):
    assert column_type(name) == arrow


def test_equal_names_cannot_be_fed():
    schema = sql.StructType().add("x", "integer").add("x", "integer").add("y", "integer")
    columns = columns_of(schema)
    assert (columns["x"].arrow, columns["y"].arrow) == (None, pa.int32())
    assert columns["x"].label == "one of 2 columns of this name"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (sql.YearMonthIntervalType(), False),
        (sql.DayTimeIntervalType(), True),
        (sql.ArrayType(sql.YearMonthIntervalType()), False),
        (sql.MapType(sql.StringType(), sql.YearMonthIntervalType()), False),
        (sql.MapType(sql.StringType(), sql.StringType()), True),
        (sql.StructType().add("a", "integer").add("a", "integer"), False),
        (sql.StructType().add("a", sql.ArrayType(sql.YearMonthIntervalType())), False),
        (sql.StructType().add("a", "integer").add("A", "integer"), True),
        (sql.DecimalType(38, 10), True),
        (sql.NullType(), True),
        (sql.ArrayType(sql.NullType(), containsNull=False), False),
        (VectorUDT(), True),
    ],
)
def test_what_spark_hands_to_python(kind, expected):
    assert passes(kind) == expected
