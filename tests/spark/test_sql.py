import pytest
from chispa import assert_df_equality
from pyspark.errors import AnalysisException

from tfspark import register
from tfspark.errors import BindingError, ModelNotFoundError, UsageError


@pytest.fixture
def tfpredict(spark, linear, points):
    """The name `tfpredict` for the linear model, and the source material's rows as the view `t`."""
    function = register(spark, "tfpredict", linear)
    points.createOrReplaceTempView("t")
    yield function
    spark.catalog.dropTempView("t")
    spark.sql("DROP TEMPORARY FUNCTION IF EXISTS tfpredict")


@pytest.fixture
def answer(spark, tfpredict):
    """The rows of a query as tuples."""
    return lambda query: [tuple(row) for row in spark.sql(query).collect()]


def test_the_source_material(spark, tfpredict):
    rows = [([1.0, 2.0], 3.0), ([3.0, 5.0], 4.0), ([7.0, 8.0], 9.0)]
    expected = spark.createDataFrame(rows, "features array<float>, y_preds float")
    scored = spark.sql("SELECT features, tfpredict(features) AS y_preds FROM t")
    assert_df_equality(scored, expected, ignore_nullable=True)


@pytest.fixture
def hive_table(spark):
    spark.sql("DROP TABLE IF EXISTS points")
    spark.sql("CREATE TABLE points (id INT, features ARRAY<FLOAT>) STORED AS PARQUET")
    spark.sql("INSERT INTO points VALUES (1, array(1f, 2f)), (2, array(3f, 5f)), (3, null)")
    yield "points"
    spark.sql("DROP TABLE points")
    spark.sql("DROP TABLE IF EXISTS scored")


def test_from_a_hive_table_into_a_hive_table(spark, hive_table, answer):
    provider = f"DESCRIBE TABLE EXTENDED {hive_table}"
    assert ("Provider", "hive") in [row[:2] for row in answer(provider)]
    spark.sql(
        "CREATE TABLE scored STORED AS ORC AS SELECT id, tfpredict(features) AS y FROM points"
    )
    assert answer("SELECT * FROM scored ORDER BY id") == [(1, 3.0), (2, 4.0), (3, None)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT features[0] FROM t WHERE tfpredict(features) > 3.5", [(3.0,), (7.0,)]),
        (
            "SELECT tfpredict(features) > 3.5 AS k, count(*) FROM t GROUP BY 1 ORDER BY 1",
            [(False, 1), (True, 2)],
        ),
        ("SELECT sum(tfpredict(features)) FROM t", [(16.0,)]),
        (
            "SELECT tfpredict(features) AS y FROM t GROUP BY y HAVING y < 9 ORDER BY y",
            [(3.0,), (4.0,)],
        ),
        ("SELECT abs(tfpredict(features) - 10) + tfpredict(features) FROM t", [(10.0,)] * 3),
        ("SELECT tfpredict(array(tfpredict(features), 1f)) FROM t", [(8.0,), (10.0,), (20.0,)]),
        ("SELECT features[1] FROM t ORDER BY tfpredict(features) DESC LIMIT 1", [(8.0,)]),
        (
            "SELECT rank() OVER (ORDER BY tfpredict(features) DESC) FROM t ORDER BY features[0]",
            [(3,), (2,), (1,)],
        ),
        (
            "SELECT CASE WHEN features[0] > 2 THEN tfpredict(features) ELSE 0f END FROM t",
            [(0.0,), (4.0,), (9.0,)],
        ),
        (
            "SELECT l.features[0], r.features[0] FROM t l JOIN t r "
            "ON tfpredict(l.features) = r.features[0]",
            [(1.0, 3.0)],
        ),
        (
            "WITH s AS (SELECT tfpredict(features) AS y FROM t) "
            "SELECT count(*) FROM s WHERE y IN (SELECT max(y) FROM s)",
            [(1,)],
        ),
        ("SELECT tfpredict(features[0], features[1]) FROM t", [(3.0,), (4.0,), (9.0,)]),
        ("SELECT tfpredict(array(1f, 2f))", [(3.0,)]),
        ("SELECT tfpredict(NULL) FROM t", [(None,)] * 3),
        ("SELECT tfpredict(NULL, NULL), tfpredict(1f, NULL)", [(None, None)]),
        ("SELECT tfpredict(CAST(NULL AS array<float>))", [(None,)]),
        ("SELECT tfpredict(array(1f, NULL))", [(None,)]),
        ("SELECT tfpredict(features) FROM t WHERE false", []),
        (
            "SELECT y FROM t, LATERAL (SELECT tfpredict(features) AS y) WHERE y > 3 ORDER BY y",
            [(4.0,), (9.0,)],
        ),
        ("SELECT tfpredict(struct(features AS inputs)) FROM t LIMIT 1", [(3.0,)]),
        (
            "BEGIN DECLARE y FLOAT; SET y = (SELECT max(tfpredict(features)) FROM t); "
            "SELECT y + 1; END",
            [(10.0,)],
        ),
    ],
)
def test_it_is_a_function_like_any_other(answer, query, expected):
    assert answer(query) == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("tfpredict()", "found:    0 arguments"),
        ("tfpredict(1f)", "found column 'argument 1' of float"),
        ("tfpredict(1f, 2f, 3f)", "found 3 columns"),
        ("tfpredict('a')", "found column 'argument 1' of string"),
        ("tfpredict(array('1', '2'))", "text is not read as numbers, so cast it"),
        ("tfpredict(current_date())", "use unix_date"),
        ("tfpredict(array(1f))", "row 0 of partition 0: expected a row of shape (2,), found (1,)"),
    ],
)
def test_wrong_calls_are_our_error_in_the_task(spark, tfpredict, refusal, call, message):
    text = refusal(spark.sql(f"SELECT {call}"))
    assert "tfspark.errors." in text
    assert message in text


def test_several_inputs_and_outputs(spark, pair, answer):
    register(spark, "score_pair", pair)
    # Arguments come in the order of the inputs' names.
    assert answer("SELECT p.sum, p.difference FROM (SELECT score_pair(2f, 1f) AS p)") == [
        (3.0, 1.0)
    ]
    register(spark, "score_pair", pair, fetch={"sum": "s"})
    assert answer("SELECT score_pair(1f, 2f)") == [(3.0,)]


def test_parameters_of_a_query_are_arguments(spark, tfpredict):
    named = spark.sql("SELECT tfpredict(array(:x, 2.0))", args={"x": 1.0})
    by_position = spark.sql("SELECT tfpredict(features) FROM t WHERE tfpredict(features) > ?", [8])
    assert [tuple(row) for row in named.union(by_position).collect()] == [(3.0,), (9.0,)]


def test_spark_passes_arguments_by_name_only_as_a_struct(spark, pair):
    score = register(spark, "by_name", pair)
    with pytest.raises(AnalysisException, match="NAMED_PARAMETERS_NOT_SUPPORTED"):
        spark.sql("SELECT by_name(b => 1f, a => 3f)")
    row = spark.sql("SELECT by_name(struct(1f AS b, 3f AS a)).difference AS y").first()
    assert (row.y, score.signature.name) == (2.0, "serving_default")


def test_a_name_is_replaced_unless_that_is_refused(spark, linear, tfpredict):
    with pytest.raises(UsageError, match="The function 'TFpredict' already exists"):
        register(spark, "TFpredict", linear, replace=False)
    register(spark, "tfpredict", linear, replace=True)
    register(spark, "a_new_name", linear, replace=False)
    spark.sql("DROP TEMPORARY FUNCTION a_new_name")


def test_describe_function_shows_inputs_outputs_and_version(tfpredict, answer):
    (usage,) = [text for (text,) in answer("DESCRIBE FUNCTION tfpredict") if "Usage" in text]
    assert "tfpredict(inputs array<float>) returns float: model linear_model version 1" in usage
    assert answer("SELECT tfpredict(array(1f, 2f))") == [(3.0,)]


def test_numbers_of_any_type_are_arguments(spark, linear, answer):
    register(spark, "rounding", linear)
    query = "SELECT rounding(array(1, 2)), rounding(3D, 5L), rounding(1.0BD, true)"
    assert answer(query) == [(3.0, 4.0, 4.0)]


def test_a_name_can_be_given_to_another_model(spark, linear, pair, answer):
    register(spark, "one_name", linear)
    assert answer("SELECT one_name(array(1f, 2f))") == [(3.0,)]
    register(spark, "one_name", pair, signature="double")
    assert answer("SELECT one_name(21L)") == [(42,)]


def test_the_function_returned_works_on_columns(tfpredict, points):
    assert [row[0] for row in points.select(tfpredict("features")).collect()] == [3.0, 4.0, 9.0]


def test_expressions_of_a_dataframe_know_the_name(tfpredict, points):
    assert points.where("tfpredict(features) > 3.5").count() == 2
    assert points.selectExpr("tfpredict(features) + 1").first()[0] == 4.0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"version": 2}, ModelNotFoundError),
        ({"fetch": {"x": "y"}}, BindingError),
        ({"strings": "text"}, UsageError),
        ({"bach_size": 1}, UsageError),
    ],
)
def test_nothing_is_registered_when_an_option_is_wrong(spark, linear, options, error):
    with pytest.raises(error):
        register(spark, "never", linear, **options)
    assert not spark.catalog.functionExists("never")


@pytest.mark.parametrize("name", ["positive", "UPPER"])
def test_a_name_that_sql_has_already_is_refused(spark, linear, name):
    with pytest.raises(UsageError, match=f"SQL has a built-in function '{name}'"):
        register(spark, name, linear)
