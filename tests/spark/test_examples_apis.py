"""Columns of features that become Examples, in every API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import PythonException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

import tfspark
from tfspark.errors import BindingError, UsageError

# The last value is the score; a person without an age gets a null, or is a bad row.
PEOPLE = [
    (1, 20.0, 5, ["a", "b"], 27.0),
    (2, 30.5, None, None, 29.5),
    (3, 1.0, 2, [], 3.0),
    (4, None, None, None, None),
]
SCORES = [row[-1] for row in PEOPLE]


@pytest.fixture(scope="module")
def model(save: Any) -> str:
    """`score` = age + income (−1 by default) + the number of towns, from Examples."""
    import tensorflow as tf

    parsed = {
        "age": tf.io.FixedLenFeature((), tf.float32),
        "income": tf.io.FixedLenFeature((), tf.int64, -1),
        "towns": tf.io.VarLenFeature(tf.string),
    }

    def score(examples: Any) -> dict[str, Any]:
        found = tf.io.parse_example(examples, parsed)
        towns = tf.sparse.to_dense(found["towns"], default_value="")
        count = tf.reduce_sum(tf.cast(towns != "", tf.int64), axis=1)
        return {"score": found["age"] + tf.cast(found["income"] + count, tf.float32)}

    return save("people", score, tf.TensorSpec((None,), tf.string, "examples"))


@pytest.fixture(scope="module")
def people(spark: SparkSession) -> DataFrame:
    schema = "id int, age double, income bigint, towns array<string>, expected float"
    return spark.createDataFrame(PEOPLE, schema).coalesce(1)


def by_names(df: DataFrame, model: str) -> DataFrame:
    return tfspark.predict(df, model)


def by_feed(df: DataFrame, model: str) -> DataFrame:
    others = df.select("id", sf.col("age").alias("years"), "income", "towns")
    return tfspark.predict(others, model, feed={"examples.age": "years"})


def by_expressions(df: DataFrame, model: str) -> DataFrame:
    halves = {name: sf.col(name) / 2 for name in ("age", "income")}
    half = df.select("id", "towns", *(one.alias(f"half_{name}") for name, one in halves.items()))
    feed = {
        "examples.age": sf.col("half_age") * 2,
        "examples.income": (sf.col("half_income") * 2).cast("int"),
    }
    return tfspark.predict(half, model, feed=feed)


def by_struct(df: DataFrame, model: str) -> DataFrame:
    nested = df.select("id", sf.struct("age", "income", "towns").alias("person"))
    return tfspark.predict(nested, model, feed={"examples": "person"})


def by_struct_expression(df: DataFrame, model: str) -> DataFrame:
    return tfspark.predict(df, model, feed={"examples": sf.struct("age", "income", "towns")})


def by_keywords(df: DataFrame, model: str) -> DataFrame:
    score = tfspark.predict_udf(model)
    return df.select("id", score(age="age", income="income", towns="towns").alias("score"))


def by_sql(df: DataFrame, model: str) -> DataFrame:
    tfspark.register(df.sparkSession, "score_of", model)
    df.createOrReplaceTempView("people")
    return df.sparkSession.sql(
        "SELECT id, score_of(struct(age, income, towns)) AS score FROM people"
    )


def by_sql_of_a_named_input(df: DataFrame, model: str) -> DataFrame:
    tfspark.register(df.sparkSession, "score_of", model)
    df.createOrReplaceTempView("people")
    person = "named_struct('age', age, 'income', income, 'towns', towns)"
    return df.sparkSession.sql(
        f"SELECT id, score_of(struct({person} AS examples)) AS score FROM people"
    )


@pytest.mark.parametrize(
    "api",
    [
        by_names,
        by_feed,
        by_expressions,
        by_struct,
        by_struct_expression,
        by_keywords,
        by_sql,
        by_sql_of_a_named_input,
    ],
)
def test_scores(people: DataFrame, model: str, api: Callable[..., DataFrame]) -> None:
    assert [row["score"] for row in api(people, model).collect()] == SCORES


def test_an_rdd_of_dicts(people: DataFrame, model: str, spark: SparkSession) -> None:
    rows = [{"years": 20, "income": 5, "towns": ["a", "b"]}, {"years": 30.5}, {"income": None}]
    feed = {"examples.age": "years"}
    scored = tfspark.predict_rdd(spark.sparkContext.parallelize(rows, 1), model, feed=feed)
    assert scored.collect() == [27.0, 29.5, None]
    with pytest.raises(BindingError, match=r"has the feature 'agee'\. Did you mean 'age'"):
        tfspark.predict_rdd(
            spark.sparkContext.parallelize(rows), model, feed={"examples.agee": "a"}
        )


def test_two_models_have_features_of_their_own(people: DataFrame, model: str) -> None:
    older = tfspark.ConfiguredModel(model, feed={"examples.age": sf.col("age") + 1})
    scored = tfspark.predict(people, {"now": model, "later": older}, difference=True)
    assert [row["difference_score"] for row in scored.collect()] == [1.0, 1.0, 1.0, None]


def test_a_row_without_a_required_feature(people: DataFrame, model: str) -> None:
    rows = people.sparkSession.createDataFrame([(None, 1)], "age double, income int")
    with pytest.raises(PythonException, match=r"row 0.*age"):
        tfspark.predict(rows, model).collect()
    scored = tfspark.predict(rows, model, on_error="null", reason="why").collect()
    assert (scored[0]["score"], scored[0]["why"]["code"]) == (None, "MODEL_REFUSED")


def test_mismatches_are_found_on_the_driver(people: DataFrame, model: str) -> None:
    with pytest.raises(BindingError) as caught:
        tfspark.predict(people, model, feed={"examples.incom": "age", "examples.age": "towns"})
    message = str(caught.value)
    assert "2 mismatches" in message
    assert "parses no feature 'incom'" in message
    assert "expected float, found column 'towns' of array<string>" in message


def test_a_struct_with_an_unknown_feature(people: DataFrame, model: str) -> None:
    score = tfspark.predict_udf(model)
    with pytest.raises(PythonException, match="Did you mean 'income'"):
        people.select(score(age="age", incom="income")).collect()


def test_the_bridge_and_pandas_build_no_examples(people: DataFrame, model: str) -> None:
    with pytest.raises(UsageError, match='Hint: leave out engine="jvm"'):
        tfspark.predict(people, model, engine="jvm")
    with pytest.raises(UsageError, match='Hint: use kind="arrow"'):
        tfspark.predict_udf(model, kind="pandas")(age="age")


def test_a_model_of_texts_takes_no_struct(people: DataFrame, identity: Any) -> None:
    text = identity("string")
    with pytest.raises(BindingError, match="use one of its fields"):
        tfspark.predict(people, text, feed={"x": sf.struct("age")})
