from concurrent.futures import ThreadPoolExecutor

import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as sf

from tfspark import predict_udf
from tfspark.errors import BindingError, ModelNotFoundError, UsageError
from tfspark.testing import save_function

KINDS = ["arrow", "pandas"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def column(df, function, *columns):
    """The predictions of a column function, in order."""
    return [row[0] for row in df.select(function(*columns)).collect()]


def test_the_source_material(spark, linear, points, kind):
    rows = [([1.0, 2.0], 3.0), ([3.0, 5.0], 4.0), ([7.0, 8.0], 9.0)]
    expected = spark.createDataFrame(rows, "features array<float>, y_preds float")
    tfpredict = predict_udf(linear, kind=kind)
    scored = points.select("features", tfpredict("features").alias("y_preds"))
    assert_df_equality(scored, expected, ignore_nullable=True)


# --- arguments ------------------------------------------------------------------------------------


def test_arguments_by_position_and_by_name(spark, pair, kind):
    df = spark.createDataFrame([(1.0, 2.0)], "x float, y float")
    difference = predict_udf(pair, kind=kind, fetch={"difference": "d"})
    calls = [difference("x", "y"), difference("x", b="y"), difference(b=sf.col("y"), a="x")]
    assert list(df.select(*calls, difference(a="y", b="x")).first()) == [-1.0, -1.0, -1.0, 1.0]


def test_scalars_are_stacked(spark, linear, kind):
    df = spark.createDataFrame([(1.0, 2.0), (3.0, 5.0), (None, 1.0)], "x0 float, x1 float")
    assert column(df, predict_udf(linear, kind=kind), "x0", "x1") == [3.0, 4.0, None]


@pytest.mark.parametrize(
    ("columns", "named", "found"),
    [
        ((), {}, "0 arguments"),
        (("x", "y", "y"), {}, "3 arguments"),
        (("x",), {"a": "y"}, "1 by position, by name 'a'"),
        ((), {"a": "x"}, "0 by position, by name 'a'"),
        ((), {"a": "x", "b": "y", "c": "y"}, "by name 'a', 'b', 'c'"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(spark, pair, kind, columns, named, found):
    with pytest.raises(BindingError, match=found):
        predict_udf(pair, kind=kind)(*columns, **named)


def test_columns_named_like_the_inputs_stand_in_their_order(spark, pair, kind):
    score = predict_udf(pair, kind=kind)
    for swapped in (("b", "a"), (sf.col("b"), "a"), (sf.col("b"), sf.col("a"))):
        with pytest.raises(BindingError, match="but in another order") as caught:
            score(*swapped)
        assert 'function(a="a", b="b")' in str(caught.value)
    df = spark.createDataFrame([(5.0, 3.0)], "b float, a float")
    by_name = df.select(score(b="b", a="a").alias("named"), score("a", "b").alias("placed"))
    assert by_name.first() == ((-2.0, 8.0), (-2.0, 8.0))


def test_one_struct_feeds_the_inputs_by_the_names_of_its_fields(spark, pair, kind):
    df = spark.createDataFrame([(5.0, 3.0), (None, 1.0)], "b float, a float")
    fed = sf.struct("b", "a")
    found = [row[0] for row in df.select(predict_udf(pair, kind=kind)(fed)).collect()]
    assert found == [(-2.0, 8.0), (None, None)]


def test_one_argument_that_is_no_struct_is_our_error_in_the_task(spark, pair, refusal):
    text = refusal(spark.range(1).select(predict_udf(pair)("id")))
    assert "Signature 'serving_default' takes another number of arguments" in text
    assert "or struct(… AS a, … AS b)" in text


def test_numbers_may_be_constants(spark, pair, kind):
    df = spark.createDataFrame([(5.0,)], "x float")
    assert df.select(predict_udf(pair, kind=kind)(a="x", b=2)).first()[0] == (3.0, 7.0)


@pytest.mark.parametrize(
    ("kind", "argument", "message"),
    [
        (
            "arrow",
            "'a'",
            "expected array<float> of shape (2,), found column 'argument 1' of string",
        ),
        ("pandas", "array('a', 'b')", "'argument 1' of array<string>"),
        ("arrow", "array(array(1D, 2D))", "'argument 1' of array<array<double>>"),
        ("pandas", "1f", "'argument 1' of float"),
    ],
)
def test_a_wrong_type_is_our_error_in_the_task(points, linear, refusal, kind, argument, message):
    text = refusal(points.select(predict_udf(linear, kind=kind)(sf.expr(argument))))
    assert "tfspark.errors.BindingError: Signature 'serving_default' does not fit" in text
    assert message in text


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("date '2020-01-01'", "use unix_date(argument 1)"),
        ("map('a', 1)", "use argument 1['key']"),
        ("parse_json('1')", "of variant; use variant_get(argument 1, '$', 'float')"),
        ("interval '1' year", "use extract(YEAR FROM"),
        ("interval '1' day", "use extract(DAY FROM argument 1)"),
        ("array(timestamp '2020-01-01')", "use transform(argument 1, x -> unix_micros(x))"),
    ],
)
def test_a_type_that_cannot_be_fed_is_named(spark, identity, refusal, kind, value, advice):
    tfpredict = predict_udf(identity("float32"), kind=kind)
    text = refusal(spark.range(1).select(tfpredict(sf.expr(value))))
    assert "tfspark.errors.BindingError" in text
    assert advice in text


@pytest.mark.parametrize(("dtype", "shape"), [("float32", (None, 2)), ("int64", (None,))])
def test_pandas_refuses_a_struct_for_the_only_input(spark, identity, refusal, dtype, shape):
    tfpredict = predict_udf(identity(dtype, shape), kind="pandas")
    text = refusal(spark.range(1).select(tfpredict(sf.struct(sf.col("id").alias("x")))))
    assert "'argument 1' of struct<x:bigint>; use one of its fields" in text
    assert 'kind="arrow" and predict take structs' in text


def test_constants_may_be_any_number(spark, identity, kind):
    score = predict_udf(identity("float64"), kind=kind)
    assert spark.range(1).select(score(-(2**70)), score(2**70)).first() == (-(2.0**70), 2.0**70)


def test_another_thread_finds_the_session(spark, linear, points, kind):
    with ThreadPoolExecutor(1) as threads:
        score = threads.submit(predict_udf, linear, kind=kind).result()
    assert column(points, score, "features") == [3.0, 4.0, 9.0]


def test_a_row_of_the_wrong_length_is_named(points, linear, refusal, kind):
    odd = sf.when(sf.col("features")[0] == 7, sf.slice("features", 1, 1)).otherwise(
        sf.col("features")
    )
    text = refusal(points.coalesce(1).select(predict_udf(linear, kind=kind)(odd)))
    assert "model linear_model version 1 (" in text
    assert "row 2 of partition 0: expected a row of shape (2,), found (1,)" in text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "row"}, UsageError, "'arrow', 'pandas'"),
        ({"strings": "text"}, UsageError, "'string', 'binary'"),
        ({"bach_size": 1}, UsageError, "Did you mean 'batch_size'"),
        ({"fetch": {"y": "y"}}, BindingError, "fetch names 'y'"),
        ({"version": 7}, ModelNotFoundError, "no version 7"),
    ],
)
def test_options_are_checked_at_the_call(spark, linear, options, error, message):
    with pytest.raises(error, match=message):
        predict_udf(linear, **options)


# --- results --------------------------------------------------------------------------------------


def test_several_outputs_are_a_struct(spark, pair, kind):
    df = spark.createDataFrame([(1.0, 2.0), (None, 1.0)], "a float, b float")
    result = df.select(
        predict_udf(pair, kind=kind, fetch={"sum": "s", "difference": "d"})("a", "b").alias("p")
    )
    assert result.schema["p"].dataType.simpleString() == "struct<s:float,d:float>"
    assert [tuple(row.p) for row in result.collect()] == [(3.0, -1.0), (None, None)]


def test_a_second_signature(spark, pair, kind):
    double = predict_udf(pair, kind=kind, signature="double")
    assert column(spark.range(3), double, "id") == [0, 2, 4]


def test_the_function_describes_its_inputs(spark, pair):
    assert [spec.name for spec in predict_udf(pair).signature.inputs] == ["a", "b"]


VALUES = {
    "bigint": ("int64", (None,), "(9223372036854775807), (null), (-3)"),
    "int for bigint": ("int64", (None,), "(5), (null)"),
    "tinyint": ("int8", (None,), "(127Y), (null), (-128Y)"),
    "uint8": ("uint8", (None,), "(255S), (null)"),
    "float": ("float32", (None,), "(1.5f), (null), (float('nan')), (float('-inf'))"),
    "smallint for double": ("float64", (None,), "(1S), (null)"),
    "boolean": ("bool", (None,), "(true), (null), (false)"),
    "string": ("string", (None,), "('größe'), (null), (''), ('列')"),
    "scalar for (1,)": ("int32", (None, 1), "(1), (null)"),
    "array for (1,)": ("int32", (None, 1), "(array(1)), (null), (array(null))"),
    "array of float": (
        "float32",
        (None, None),
        "(array(1f, float('nan'))), (null), (array()), (array(1f, null))",
    ),
    "array of bigint": (
        "int64",
        (None, None),
        "(array(9223372036854775807, 2)), (array(1, null)), (null)",
    ),
    "array of boolean": ("bool", (None, None), "(array(true, false)), (array(true, null))"),
    "array of string": ("string", (None, None), "(array('a', '')), (array('x', null)), (array())"),
    "depth 2": (
        "float64",
        (None, None, None),
        "(array(array(1D, double('nan')), array(3D, 4D))), (null), (array(array(1D, null)))",
    ),
    "depth 2 of bigint": (
        "int64",
        (None, None, None),
        "(array(array(9223372036854775807, 2))), (array(array(1, null))), (array(null))",
    ),
    "depth 3": (
        "string",
        (None, None, None, None),
        "(array(array(array('a', 'b')))), (array(array(null)))",
    ),
    "null": ("int64", (None,), "(null), (null)"),
    "empty array": ("float32", (None, None), "(array()), (array())"),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_both_kinds_give_the_values_that_were_fed(spark, identity, values):
    dtype, shape, rows = values
    df = spark.sql(f"SELECT x FROM VALUES {rows} AS t(x)").coalesce(1)
    model = identity(dtype, shape)
    columns = (predict_udf(model, kind=kind, narrow=True)("x").alias(kind) for kind in KINDS)
    scored = df.select("x", *columns)
    assert scored.schema["arrow"].dataType == scored.schema["pandas"].dataType
    found = scored.collect()
    assert [str(row.arrow) for row in found] == [str(row.pandas) for row in found]
    if "null" not in rows and "(1,)" not in rows and "nan" not in rows:
        assert [row.arrow for row in found] == [row.x for row in found]


def test_bytes_stay_bytes(spark, identity, kind):
    df = spark.sql("SELECT x FROM VALUES (X'00ff'), (null), (X'') AS t(x)").coalesce(1)
    binary = predict_udf(identity("string"), kind=kind, strings="binary")
    assert column(df, binary, "x") == [b"\x00\xff", None, b""]


def test_a_type_does_not_change_from_batch_to_batch(spark, identity, conf, kind):
    df = spark.sql("SELECT x FROM VALUES (null), (null), (1L), (null), (3L) AS t(x)").coalesce(1)
    with conf("spark.sql.execution.arrow.maxRecordsPerBatch", "2"):
        assert column(df, predict_udf(identity("int64"), kind=kind), "x") == [
            None,
            None,
            1,
            None,
            3,
        ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_a_null_inside_an_array(spark, linear, kind, batch_size):
    df = spark.createDataFrame([([1.0, 2.0],), ([None, 1.0],), (None,)], "x array<float>").coalesce(
        1
    )
    score = predict_udf(linear, kind=kind, batch_size=batch_size)
    assert column(df, score, "x") == [3.0, None, None]


def test_a_fill_replaces_nulls_inside_arrays(spark, identity, kind):
    rows = [([1.0, None],), ([float("nan"), 2.0],), ([None, None],), (None,)]
    df = spark.createDataFrame(rows, "x array<double>").coalesce(1)
    score = predict_udf(identity("float32", (None, 2)), kind=kind, on_null=7.0)
    found = column(df, score, "x")
    assert str(found) == "[[1.0, 7.0], [nan, 2.0], [7.0, 7.0], None]"


# --- in queries -----------------------------------------------------------------------------------


def test_in_where_group_by_order_by_and_nested(points, linear, kind):
    tfpredict = predict_udf(linear, kind=kind)
    y = tfpredict("features")
    assert points.where(y > 3.5).count() == 2
    assert points.groupBy((y > 3.5).alias("k")).count().orderBy("k").collect() == [
        (False, 1),
        (True, 2),
    ]
    assert points.orderBy(y.desc()).first().features == [7.0, 8.0]
    again = tfpredict(sf.array(y, sf.lit(1.0).cast("float")))
    assert [row[0] for row in points.select(sf.abs(again - 20) + y).collect()] == [15.0, 14.0, 9.0]


def test_twice_in_a_query_and_in_a_join(points, linear, kind):
    tfpredict = predict_udf(linear, kind=kind)
    flipped = tfpredict(sf.reverse("features"))
    assert points.select(tfpredict("features"), flipped, tfpredict("features")).collect() == [
        (3.0, 6.0, 3.0),
        (4.0, 10.0, 4.0),
        (9.0, 12.0, 9.0),
    ]
    left, right = points.alias("l"), points.alias("r")
    joined = left.join(right, tfpredict(sf.col("l.features")) == sf.col("r.features")[0])
    assert joined.select("l.features", "r.features").collect() == [([1.0, 2.0], [3.0, 5.0])]


def test_chained_with_other_python_functions(points, linear, kind):
    tfpredict = predict_udf(linear, kind=kind)
    other = predict_udf(linear, kind="pandas" if kind == "arrow" else "arrow")
    more = sf.udf(lambda value: value + 1, "float")
    y = tfpredict("features")
    chained = points.select(more(y), other(y, more(y)))
    assert chained.collect() == [(4.0, 5.0), (5.0, 6.0), (10.0, 11.0)]


def test_no_rows_and_empty_partitions(points, linear, kind):
    tfpredict = predict_udf(linear, kind=kind)
    assert points.limit(0).select(tfpredict("features")).collect() == []
    assert column(points.repartition(7).orderBy("features"), tfpredict, "features") == [
        3.0,
        4.0,
        9.0,
    ]


@pytest.mark.parametrize("rows", ["1", "3"])
def test_results_do_not_depend_on_the_arrow_batches(spark, linear, conf, kind, rows):
    feature = sf.array(sf.col("id").cast("float"), sf.lit(1.0).cast("float"))
    df = spark.range(20, numPartitions=2)
    with conf("spark.sql.execution.arrow.maxRecordsPerBatch", rows):
        assert column(df, predict_udf(linear, kind=kind), feature) == [
            2.0 * i + 2 for i in range(20)
        ]


def test_a_random_prediction_is_computed_once(spark, tmp_path, caplog, kind):
    import tensorflow as tf

    folder = tmp_path / "noise"
    spec = tf.TensorSpec((None,), tf.float32, "x")
    save_function(folder, lambda x: {"y": x + tf.random.uniform(tf.shape(x))}, spec)
    noise = predict_udf(folder, kind=kind)
    assert "draws random numbers ('RandomUniform')" in caplog.text
    df = spark.range(200).select(noise(sf.col("id").cast("float") * 0).alias("y"))
    found = [row.y for row in df.where("y > 0.5").collect()]
    assert 0 < len(found) < 200
    assert min(found) > 0.5
