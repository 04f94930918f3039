"""Several models over one scan: what each adds, and that rows go to Python once."""

import pytest
from pyspark.sql import functions as sf

from tfspark import ConfiguredModel, predict
from tfspark.errors import BindingError, ModelNotFoundError, TfsparkError, UsageError


def test_two_versions_side_by_side_with_their_difference(points, linear, newer):
    scored = predict(points, {"old": linear, "new": newer}, fetch={"outputs": "y"}, difference=True)
    assert scored.dtypes[1:] == [
        ("old_y", "float"),
        ("new_y", "float"),
        ("difference_y", "double"),
    ]
    found = [tuple(row)[1:] for row in scored.collect()]
    assert found == [(3.0, 3.0, 0.0), (4.0, 8.0, 4.0), (9.0, 15.0, 6.0)]
    plan = scored._jdf.queryExecution().executedPlan().toString()
    assert plan.count("MapInArrow") == 1


def test_each_model_has_its_own_feed_fetch_and_options(spark, linear, pair):
    row = "SELECT 1F AS a, 2F AS b, named_struct('l', 3L, 'f', array(1D, NULL)) AS s"
    models = {
        "double": ConfiguredModel(pair, feed={"x": "s.l"}, signature="double"),
        "sum": ConfiguredModel(pair, fetch={"sum": "is"}),
        "half": ConfiguredModel(linear, feed={"inputs": "s.f"}, on_null=2.0),
        "none": ConfiguredModel(linear, feed={"inputs": "s.f"}),
        "twice": ConfiguredModel(pair, feed={"a": sf.col("a") * 2, "b": sf.col("b") * 2}),
    }
    scored = predict(spark.sql(row), models, keep=["b"])
    assert scored.first().asDict() == {
        "b": 2.0,
        "double_twice": 6,
        "sum_is": 3.0,
        "half_outputs": 3.0,
        "none_outputs": None,
        "twice_difference": -2.0,
        "twice_sum": 6.0,
    }


def test_nulls_and_bad_rows_concern_one_model(spark, linear, pair):
    rows = [([1.0, 2.0], 1.0, None), ([1.0], 1.0, 2.0), (None, 3.0, 2.0)]
    df = spark.createDataFrame(rows, "features array<float>, a float, b float").coalesce(1)
    models = {"line": ConfiguredModel(linear, feed={"inputs": "features"}), "pair": pair}
    scored = predict(df, models, on_error="null", reason="why", keep=[])
    found = [(r.line_outputs, r.line_why, r.pair_sum, r.pair_why) for r in scored.collect()]
    assert found[0] == (3.0, None, None, None)
    assert (found[1][0], found[1][1].code, *found[1][2:]) == (None, "WRONG_SHAPE", 3.0, None)
    assert found[2] == (None, None, 5.0, None)


def test_one_model_under_a_key_is_a_model_like_any_other(points, linear):
    assert predict(points, {"only": linear}).columns == ["features", "only_outputs"]


def test_the_error_of_a_row_names_its_model(spark, linear, newer, refusal):
    df = spark.createDataFrame([([1.0, 2.0], [1.0])], "f array<float>, g array<float>")
    wrong = ConfiguredModel(newer, feed={"inputs": "g"})
    text = refusal(predict(df, {"a": linear, "b": wrong}, feed={"inputs": "f"}))
    assert "model newer version 2" in text
    assert "column 'g', row 0 of partition" in text


@pytest.mark.parametrize(
    ("models", "options", "error", "messages"),
    [
        ({}, {}, UsageError, ["Several models are given by their keys"]),
        ({"": "m"}, {}, UsageError, ["Several models are given by their keys"]),
        (
            {"a": "/nowhere", "b": "/nowhere/else"},
            {},
            ModelNotFoundError,
            ["Model 'a'", "Model 'b'", "/nowhere/else"],
        ),
        (
            {"a": None, "b": None},
            {"feed": {"inputs": "x"}},
            BindingError,
            ["2 mismatches", "model 'a': input inputs", "model 'b': input inputs"],
        ),
        ({"a": None}, {"difference": True}, BindingError, ["needs two models, found 1"]),
        (None, {"difference": True}, BindingError, ["needs two models, found 1"]),
        ({"a": None}, {"bach_size": 1}, UsageError, ["Model 'a'", "Did you mean 'batch_size'?"]),
        ({"a": None, "b": None}, {"engine": "jvm"}, UsageError, ["cannot score several models"]),
    ],
)
def test_everything_is_refused_at_the_call(
    points, linear, jobs_of, models, options, error, messages
):
    given = linear if models is None else {key: path or linear for key, path in models.items()}

    def call():
        with pytest.raises(TfsparkError) as caught:
            predict(points, given, **options)
        assert isinstance(caught.value, error)
        for message in messages:
            assert message in str(caught.value)

    assert jobs_of(call) == 0


def test_one_expression_is_the_same_for_all_models_and_inputs(spark, pair, identity):
    noise = sf.rand(1).cast("float")
    df = spark.range(20).repartition(3)
    models = {
        "one": ConfiguredModel(identity("float32"), feed={"x": noise}),
        "two": ConfiguredModel(identity("float32"), feed={"x": noise}),
        "pair": ConfiguredModel(pair, feed={"a": noise, "b": noise}),
    }
    rows = predict(df, models).collect()
    assert len({row.one_y for row in rows}) > 10
    assert all(row.one_y == row.two_y and row.pair_difference == 0 for row in rows)
