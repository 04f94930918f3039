import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as sf

from tfspark import predict, predict_rdd, predict_udf
from tfspark.errors import BindingError, UsageError

KEPT = """
    SELECT id, array(cast(id AS float), 1f) AS features,
        named_struct('a', id, 'b', 'x') AS pair, map('k', id, 'l', null) AS by_key,
        timestamp '2024-03-10 02:30:00.123456' AS at, timestamp_ntz '2024-03-10 02:30:00' AS local,
        date '1500-01-01' AS day, 1.234567890123456789BD AS amount, X'00ff' AS bytes,
        interval '1' day AS span, cast(null AS void) AS nothing,
        array(named_struct('q', array(1, null))) AS deep
    FROM range(5)
"""


def linear_of(row):
    return 2 * row.features[0] - row.features[1] + 3


def test_the_source_material(spark, linear, points):
    rows = [([1.0, 2.0], 3.0), ([3.0, 5.0], 4.0), ([7.0, 8.0], 9.0)]
    expected = spark.createDataFrame(rows, "features array<float>, y_preds float")
    scored = predict(points, linear, fetch={"outputs": "y_preds"})
    assert_df_equality(scored, expected, ignore_nullable=True)


def test_predict_is_lazy(points, linear, jobs_of):
    assert jobs_of(lambda: predict(points, linear)) == 0
    assert jobs_of(predict(points, linear).collect) > 0


# --- feed, fetch, keep ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "feed",
    [
        {"inputs": "features"},
        {"inputs": ["x", "y"]},
        {"inputs": ("x", "y")},
        {"inputs": lambda: sf.array("x", "y")},
        {"inputs": lambda: [sf.col("x"), "y"]},
        {"inputs": lambda: [sf.col("pair.x"), sf.col("features")[1]]},
    ],
    ids=["name", "list", "tuple", "expression", "mixed", "fields"],
)
def test_feed_by_name_list_or_expression(points, linear, feed):
    x, y = sf.col("features")[0].alias("x"), sf.col("features")[1].alias("y")
    df = points.select("features", x, y, sf.struct(x, y).alias("pair"))
    given = {name: value() if callable(value) else value for name, value in feed.items()}
    scored = predict(df, linear, feed=given)
    assert scored.columns == [*df.columns, "outputs"]
    assert [row.outputs for row in scored.collect()] == [3.0, 4.0, 9.0]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (lambda: sf.explode("features"), "GENERATOR"),
        (lambda: sf.sum("id"), "GROUP"),
        (lambda: sf.col("lost"), "`lost`"),
    ],
    ids=["generator", "aggregate", "unknown column"],
)
def test_an_expression_without_one_value_per_row_is_refused(points, linear, expression, found):
    with pytest.raises(BindingError, match=rf"an expression of feed.*\n.*\n.*{found}"):
        predict(points.withColumn("id", sf.lit(1)), linear, feed={"inputs": expression()})


def test_an_expression_may_be_wide_of_its_column(points, linear):
    doubled = sf.transform("features", lambda x: (x * 2).cast("float"))
    scored = predict(points, linear, feed={"inputs": doubled})
    assert [row.outputs for row in scored.collect()] == [3.0, 5.0, 15.0]


def test_several_inputs_and_outputs_bind_by_name(spark, pair):
    df = spark.createDataFrame([(1, 2.0, 1.0), (2, 4.0, 7.0)], "id int, b float, a float")
    expected = spark.createDataFrame(
        [(1, 2.0, 1.0, -1.0, 3.0), (2, 4.0, 7.0, 3.0, 11.0)],
        "id int, b float, a float, difference float, sum float",
    )
    assert_df_equality(predict(df, pair), expected, ignore_nullable=True)


@pytest.mark.parametrize(
    ("fetch", "columns"),
    [
        ({"sum": "sum"}, ["a", "b", "sum"]),
        ({"sum": "s", "difference": "d"}, ["a", "b", "s", "d"]),
        ({"difference": "größe . `x`"}, ["a", "b", "größe . `x`"]),
    ],
)
def test_fetch_selects_names_and_orders(spark, pair, fetch, columns):
    df = spark.createDataFrame([(1.0, 2.0)], "a float, b float")
    scored = predict(df, pair, fetch=fetch)
    values = {"sum": 3.0, "difference": -1.0}
    assert scored.columns == columns
    assert list(scored.first())[2:] == [values[name] for name in fetch]


@pytest.mark.parametrize("keep", [[], ["b"], ["b", "a"], ["b", "b"]])
def test_keep_selects_and_orders(spark, pair, keep):
    df = spark.createDataFrame([(1.0, 2.0)], "a float, b float")
    scored = predict(df, pair, keep=keep, fetch={"sum": "sum"})
    assert scored.columns == [*dict.fromkeys(keep), "sum"]
    assert scored.first()["sum"] == 3.0


def test_an_output_may_take_the_name_of_a_dropped_column(spark, pair):
    df = spark.createDataFrame([(1.0, 2.0)], "a float, b float")
    scored = predict(df, pair, keep=["b"], fetch={"sum": "a"})
    assert scored.first().asDict() == {"b": 2.0, "a": 3.0}


def test_a_second_signature(spark, pair):
    df = spark.range(3).withColumnRenamed("id", "x")
    scored = predict(df, pair, signature="double")
    assert [tuple(row) for row in scored.collect()] == [(0, 0), (1, 2), (2, 4)]


@pytest.mark.parametrize("kind", ["predict", "function"])
def test_a_void_column_gives_null_outputs(spark, linear, pair, kind):
    df = spark.sql("SELECT NULL AS nothing, 1F AS x, NULL AS a, 2F AS b")
    score = predict_udf(linear)
    if kind == "predict":
        rows = predict(df, {"v": linear, "s": linear}, feed={"inputs": "nothing"}, keep=[])
        pairs = predict(df, pair, keep=[], fetch={"sum": "y"})
        stacked = predict(df, linear, keep=[], feed={"inputs": ["x", "Nothing"]})
        rows = rows.crossJoin(pairs).crossJoin(stacked)
    else:
        rows = df.select(score("nothing"), score("x", "nothing"), predict_udf(pair)("a", "b").sum)
    assert set(rows.first()) == {None}


@pytest.mark.parametrize("kind", ["predict", "function"])
@pytest.mark.parametrize("array", ["array()", "array(array(), NULL)", "array(NULL)"])
def test_an_array_without_a_type_takes_the_type_of_its_input(spark, identity, array, kind):
    shape = (None, None, None) if "(array" in array else (None, None)
    model = identity("float32", shape)
    df = spark.sql(f"SELECT {array} AS `x``.y`, 1 AS id")
    if kind == "predict":
        scored = predict(df, model, feed={"x": "x`.y"}, keep=["id"]).drop("id")
    else:
        scored = df.select(predict_udf(model)(sf.col("`x``.y`")))
    assert scored.first()[0] == ([] if array == "array()" else None)


def test_a_null_without_a_type_may_be_a_field_or_an_expression(spark, pair):
    df = spark.sql("SELECT struct(NULL AS a, 1 AS b) AS s")
    for feed in ({"a": "s.a", "b": "s.b"}, {"a": sf.lit(None), "b": "s.b"}, {}):
        assert predict(df, pair, feed=feed, keep=[], fetch={"sum": "y"}).collect() == [(None,)]


@pytest.mark.parametrize("as_column", [str, sf.col], ids=["field", "expression"])
def test_an_array_without_a_type_may_be_a_field_or_an_expression(spark, identity, as_column):
    model = identity("float32", (None, None))
    df = spark.sql("SELECT struct(array() AS x) AS s")
    scored = predict(df, {"v": model, "w": model}, feed={"x": as_column("s.x")}, keep=[])
    assert scored.collect() == [([], [])]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "x`y", "`x`", "*", "größe", "列", "", "class", "a-b", "c0", "column 0"]
)
def test_columns_may_have_any_name(points, linear, name):
    scored = predict(
        points.toDF(name), linear, feed={"inputs": name}, fetch={"outputs": f"{name}!"}
    )
    assert scored.columns == [name, f"{name}!"]
    assert [row[1] for row in scored.collect()] == [3.0, 4.0, 9.0]


@pytest.mark.parametrize("names", [("id", "id"), ("c", "C"), ("a.b", "a"), ("c0", "c1")])
def test_other_columns_may_share_a_name(points, linear, names):
    df = points.select(sf.lit(1), sf.lit("x"), "features").toDF(*names, "features")
    scored = predict(df, linear)
    assert scored.columns == [*names, "features", "outputs"]
    assert [(row[0], row[1], row[3]) for row in scored.collect()] == [
        (1, "x", 3.0),
        (1, "x", 4.0),
        (1, "x", 9.0),
    ]


def test_a_shared_name_cannot_be_fed_or_named_in_keep(points, linear):
    df = points.select("features", "features", sf.lit(1).alias("id"), sf.lit(2).alias("id"))
    with pytest.raises(BindingError, match="'features' is one of 2 columns of this name"):
        predict(df, linear, feed={"inputs": "features"})
    with pytest.raises(BindingError, match="there are 2 columns 'id'"):
        predict(
            df,
            linear,
            feed={"inputs": sf.array(sf.lit(1.0), sf.lit(2.0))},
            keep=["id"],
            narrow=True,
        )


@pytest.mark.parametrize("name", ["outputs", "OUTPUTS"])
def test_a_column_in_the_way_of_an_output_is_refused(points, linear, name):
    with pytest.raises(BindingError, match=f"there is already a column '{name}'"):
        predict(points.withColumn(name, sf.lit(1)), linear)


@pytest.mark.parametrize("name", ["expression 1", "__tfspark_0"])
def test_an_expression_touches_no_column(points, linear, name):
    df = points.withColumn(name, sf.lit(5))
    scored = predict(df, linear, feed={"inputs": sf.col("features")})
    assert [row[name] for row in scored.collect()] == [5, 5, 5]


def test_inputs_and_outputs_may_have_any_name(spark, odd_keys):
    rows = [(1.0, 2.0, "ä"), (3.0, None, "q"), (5.0, 6.0, "")]
    df = spark.createDataFrame(rows, "class float, `a-b` float, `x/y:0` string").coalesce(1)
    expected = [(2.0, 4.0, "ä"), (None, None, None), (6.0, 16.0, "")]
    scored = predict(df, odd_keys, keep=[])
    assert scored.columns == ["a-b", "class", "x/y:0"]
    assert [tuple(row) for row in scored.collect()] == expected
    named = {"class": "class", "a-b": sf.col("`a-b`"), "x/y:0": sf.col("`x/y:0`")}
    for kind in ("arrow", "pandas"):
        column = predict_udf(odd_keys, kind=kind)(**named)
        assert [tuple(row[0]) for row in df.select(column).collect()] == expected
    assert [tuple(one.values()) for one in predict_rdd(df.rdd, odd_keys).collect()] == expected


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_order_and_other_columns_are_kept(spark, linear, partitions):
    df = spark.range(100, numPartitions=partitions).select(
        sf.col("id").cast("string").alias("text"),
        sf.array(sf.col("id").cast("float"), sf.lit(1.0).cast("float")).alias("features"),
        sf.spark_partition_id().alias("part"),
    )
    scored = predict(df, linear, batch_size=8)
    assert scored.rdd.getNumPartitions() == partitions
    assert_df_equality(scored.drop("outputs"), df, ignore_nullable=True)
    assert [row.outputs for row in scored.collect()] == [linear_of(row) for row in df.collect()]


def test_kept_columns_are_untouched(spark, linear):
    df = spark.sql(KEPT)
    scored = predict(df, linear, feed={"inputs": "features"})
    assert scored.drop("outputs").schema == df.schema
    assert_df_equality(scored.drop("outputs"), df)


@pytest.mark.parametrize(
    "value",
    [
        "interval '1-2' year to month",
        "make_interval(1)",
        "named_struct('a', 1, 'a', 2)",
        "map()",
    ],
)
def test_a_column_that_cannot_pass_is_refused_or_left_out(spark, linear, value):
    df = spark.sql(f"SELECT array(1f, 2f) AS features, {value} AS odd, array({value}) AS odds")
    with pytest.raises(
        BindingError, match=r"2 mismatches\n  - column 'odd' is .*\n  - column 'odds'"
    ):
        predict(df, linear, feed={"inputs": "features"})
    scored = predict(df, linear, feed={"inputs": "features"}, keep=["features"])
    assert scored.first().outputs == 3.0


@pytest.mark.parametrize("setting", ["true", "TRUE"])
def test_case_matters_if_spark_says_so(spark, identity, conf, setting):
    df = spark.sql("SELECT 1f AS x")
    with conf("spark.sql.caseSensitive", setting), pytest.raises(BindingError, match="column 'X'"):
        predict(df, identity("float32"), feed={"x": "X"})


def test_the_given_dataframe_is_not_modified(points, linear):
    before = points.schema.json(), points.collect()
    predict(points, linear, feed={"inputs": sf.col("features")}).collect()
    assert (points.schema.json(), points.collect()) == before


def test_no_rows(spark, pair):
    df = spark.createDataFrame([], "a float, b float, note string")
    scored = predict(df, pair)
    assert scored.collect() == []
    assert [field.simpleString() for field in scored.schema][3:] == [
        "difference:float",
        "sum:float",
    ]


def test_empty_partitions(spark, linear, points):
    one = points.coalesce(1)
    df = one.limit(0).union(one).union(one.limit(0))
    assert [row.outputs for row in predict(df, linear).collect()] == [3.0, 4.0, 9.0]


@pytest.mark.parametrize("batch_size", [None, 1, 2, 1000])
def test_null_gives_null_and_nan_is_fed(spark, linear, batch_size):
    nan = float("nan")
    rows = [[1.0, 2.0], None, [None, 1.0], [nan, 1.0], [3.0, None], [3.0, 5.0]]
    df = spark.createDataFrame([(row,) for row in rows], "features array<float>").coalesce(1)
    scored = predict(df, linear, batch_size=batch_size).collect()
    assert [str(row.outputs) for row in scored] == ["3.0", "None", "None", "nan", "None", "4.0"]


def test_a_batch_of_fixed_size_is_filled_up(spark, identity):
    df = spark.range(7, numPartitions=2).select(sf.col("id").cast("float").alias("x"))
    scored = predict(df, identity("float32", (4,)))
    assert [row.y for row in scored.collect()] == [0, 1, 2, 3, 4, 5, 6]


def test_rows_of_different_lengths_keep_their_order(spark, identity):
    growing = sf.expr("transform(sequence(0, id % 4), i -> cast(id AS float))")
    df = spark.range(50, numPartitions=2).select("id", growing.alias("x"))
    scored = predict(df, identity("float32", (None, None)), batch_size=16)
    assert_df_equality(scored.select("id", sf.col("y").alias("x")), df, ignore_nullable=True)


def test_a_flat_column_feeds_a_picture(spark, save):
    import tensorflow as tf

    model = save(
        "picture",
        lambda x: {"corner": x[:, 27, 27], "row": x[:, 1, :3]},
        tf.TensorSpec((None, 28, 28), tf.float32, "x"),
    )
    df = spark.sql("SELECT transform(sequence(0, 783), i -> cast(i AS float)) AS x FROM range(3)")
    for row in predict(df, model, keep=[]).collect():
        assert (row.corner, row.row) == (783.0, [28.0, 29.0, 30.0])


@pytest.mark.parametrize("keep", [[], ["id"], None], ids=["none", "another", "all"])
def test_many_scalar_columns(spark, save, keep):
    import tensorflow as tf

    names = ["a.b", "back`tick", "star*", *(f"c{number}" for number in range(17))]
    spec = tf.TensorSpec((None, 20), tf.float32, "x")
    model = save("many", lambda x: {"y": tf.linalg.matvec(x, tf.range(20.0))}, spec)
    rows = [
        (one, *(None if one == at == 3 else float(one + at) for at in range(20)))
        for one in range(5)
    ]
    quoted = (name.replace("`", "``") for name in names)
    df = spark.createDataFrame(rows, "id int, " + ", ".join(f"`{one}` float" for one in quoted))
    scored = predict(df, model, feed={"x": names}, keep=keep).collect()
    weights = range(20)
    wanted = [
        None if None in row else sum(w * x for w, x in zip(weights, row[1:], strict=True))
        for row in rows
    ]
    assert [row.y for row in scored] == wanted
    twice = df.withColumnRenamed("c1", "C0")
    assert [
        row.y
        for row in predict(
            twice, model, feed={"x": [*names[:4], "C0", *names[5:]]}, keep=keep
        ).collect()
    ] == wanted


def test_very_wide_rows(spark, save):
    import tensorflow as tf

    spec = tf.TensorSpec((None, 300_000), tf.float32, "x")
    model = save("wide", lambda x: {"total": tf.reduce_sum(x, axis=1)}, spec)
    df = spark.range(4, numPartitions=1).select(
        sf.array_repeat(sf.lit(2.0).cast("float"), 300_000).alias("x")
    )
    assert [row.total for row in predict(df, model, keep=[]).collect()] == [600_000.0] * 4


# --- refusals -------------------------------------------------------------------------------------


def test_all_mismatches_at_once_and_before_any_job(spark, pair, jobs_of):
    df = spark.createDataFrame([("x", None)], "text string, a date")

    def call():
        with pytest.raises(BindingError) as caught:
            predict(df, pair, feed={"b": "text", "zz": "a"}, fetch={"sum": "A", "nope": "n"})
        message = str(caught.value)
        assert "5 mismatches" in message.splitlines()[0]
        for part in (
            "feed names 'zz', which is not an input",
            "input a: float32 (None,): expected float, found column 'a' of date",
            "input b: float32 (None,): expected float, found column 'text' of string",
            "fetch names 'nope', which is not an output",
            "output sum: float32 (None,): there is already a column 'a'",
            "Available columns: text string, a date",
        ):
            assert part in message

    assert jobs_of(call) == 0


def test_a_row_of_the_wrong_length_is_named(spark, linear, refusal):
    rows = [([1.0, 2.0],)] * 5 + [([1.0, 2.0, 3.0],)]
    df = spark.createDataFrame(rows, "features array<float>").coalesce(1)
    message = refusal(predict(df, linear, batch_size=4))
    assert "tfspark.errors.RowError: model linear_model version 1 (" in message
    assert (
        "column 'features', row 5 of partition 0: expected a row of shape (2,), found (3,)"
        in message
    )


def test_a_row_that_the_model_refuses_is_named(spark, save, refusal):
    import tensorflow as tf

    model = save(
        "numbers",
        lambda text: {"number": tf.strings.to_number(text)},
        tf.TensorSpec((None,), tf.string, "text"),
    )
    df = spark.createDataFrame([(str(i) if i != 6 else "six",) for i in range(9)], "text string")
    message = refusal(predict(df.coalesce(1), model))
    assert "model numbers version 1" in message
    assert "row 6 of partition 0: the model refuses the row" in message
    assert "could not correctly convert string: six" in message


def test_doubles_are_rounded_and_overflow_is_an_error_of_its_row(spark, linear, refusal):
    df = spark.createDataFrame([([1.0, 0.1],), ([3.0, 1e300],)], "features array<double>").coalesce(
        1
    )
    assert predict(df.limit(1), linear).first().outputs == pytest.approx(4.9, rel=1e-6)
    message = refusal(predict(df, linear))
    assert "row 1 of partition 0: 1e+300 does not fit float32" in message


def test_widening_is_free(spark, linear):
    df = spark.createDataFrame([([1, 2],)], "features array<smallint>")
    assert predict(df, linear).first().outputs == 3.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batchsize": 3}, "no option 'batchsize'. Did you mean 'batch_size'"),
        ({"batch_size": 0}, "batch_size ≥ 1"),
        ({"batch_size": 1.5}, "batch_size ≥ 1"),
        ({"batch_size": "3"}, "batch_size ≥ 1"),
        ({"engine": "nativ"}, "Did you mean 'native'"),
        ({"distribute": "brodcast"}, "Did you mean 'broadcast'"),
        ({"strings": "bytes"}, "'string', 'binary'"),
        ({"keep": "features"}, "a list of column names"),
        ({"fetch": ["outputs"]}, "a dict {output: column}"),
        ({"fetch": {"outputs": None}}, "a dict {output: column}"),
        ({"feed": "features"}, "a dict {input: column"),
        ({"feed": {"inputs": object()}}, "a dict {input: column"),
        ({"feed": {"inputs": [1, "a"]}}, "a dict {input: column"),
    ],
)
def test_options_that_do_not_exist_are_refused(points, linear, options, message):
    with pytest.raises(UsageError) as caught:
        predict(points, linear, **options)
    assert message in str(caught.value)


# --- inside other queries -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.sql.execution.arrow.maxRecordsPerBatch", "1"),
        ("spark.sql.execution.arrow.maxRecordsPerBatch", "3"),
        ("spark.sql.execution.arrow.useLargeVarTypes", "true"),
        ("spark.sql.execution.arrow.compression.codec", "zstd"),
        ("spark.sql.adaptive.enabled", "false"),
        ("spark.sql.ansi.enabled", "false"),
        ("spark.sql.caseSensitive", "true"),
    ],
)
def test_results_do_not_depend_on_the_configuration(spark, save, conf, key, value):
    import tensorflow as tf

    model = save(
        f"mixed-{key}-{value}",
        lambda text, values: {"upper": tf.strings.upper(text), "total": tf.reduce_sum(values, 1)},
        tf.TensorSpec((None,), tf.string, "text"),
        tf.TensorSpec((None, None), tf.float32, "values"),
    )
    rows = [(f"a{i}" if i % 5 else None, [1.0] * (i % 3), {"k": str(i)}) for i in range(20)]
    df = spark.createDataFrame(rows, "text string, values array<float>, other map<string,string>")
    expected = [
        (*row, None if row[0] is None else row[0].upper(), None if row[0] is None else sum(row[1]))
        for row in rows
    ]
    with conf(key, value):
        scored = predict(df, model, fetch={"upper": "upper", "total": "total"}).collect()
    assert [tuple(row) for row in scored] == expected


def test_scored_rows_go_on_through_joins_caches_and_python(points, linear):
    scored = predict(points, linear).cache()
    try:
        one_more = sf.udf(lambda value: value + 1, "float")
        joined = scored.alias("a").join(scored.alias("b"), sf.expr("a.outputs = b.features[0]"))
        assert joined.select(one_more("a.outputs")).collect() == [(4.0,)]
        assert (
            predict(scored, linear, fetch={"outputs": "again"}, feed={"inputs": "features"}).count()
            == 3
        )
    finally:
        scored.unpersist()


def test_only_a_dataframe_is_scored(linear):
    with pytest.raises(UsageError, match=r"found:    builtins\.list"):
        predict([1.0, 2.0], linear)
