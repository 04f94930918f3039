"""`engine="jvm"` in a session without the bridge: the refusals and their hints."""

from decimal import Decimal

import pytest
from pyspark.sql import functions as sf

import tfspark
from tfspark.errors import BindingError, EngineError, UsageError
from tfspark.spark import jvm, jvm_backend


def by_predict(points, model, **options):
    return tfspark.predict(points, model, engine="jvm", **options)


def by_udf(points, model, **options):
    return tfspark.predict_udf(model, engine="jvm", **options)


def by_name(points, model, **options):
    return tfspark.register(points.sparkSession, "in_jvm", model, engine="jvm", **options)


@pytest.mark.parametrize("api", [by_predict, by_udf, by_name])
def test_a_session_without_the_bridge_is_told_how_to_get_it(points, linear, api):
    with pytest.raises(EngineError) as caught:
        api(points, linear)
    assert "make bridge" in str(caught.value)
    assert "--jars" in str(caught.value)


@pytest.mark.parametrize("api", [by_predict, by_udf, by_name])
def test_options_are_checked_before_the_bridge_is_asked(points, linear, api):
    with pytest.raises(UsageError, match="on_null names 'input'"):
        api(points, linear, on_null={"input": 0.0})


def test_mismatches_are_found_before_the_bridge_is_asked(points, linear):
    with pytest.raises(BindingError, match="no column 'nothing'"):
        by_predict(points, linear, feed={"inputs": "nothing"})


def test_columns_that_python_cannot_take_are_kept_in_the_jvm(points, linear):
    with pytest.raises(EngineError, match="make bridge"):
        by_predict(points.selectExpr("features", "INTERVAL 1 YEAR AS age"), linear)


def test_an_rdd_is_scored_in_python_alone(spark, linear):
    rdd = spark.sparkContext.parallelize([[1.0, 2.0]])
    with pytest.raises(UsageError, match="does not support"):
        tfspark.predict_rdd(rdd, linear, engine="jvm")


def test_a_decimal_fill_is_a_number_for_the_bridge():
    assert jvm._for_json(Decimal("1.5")) == 1.5
    assert jvm._for_json(Decimal("9007199254740993")) == 9007199254740993


def test_columns_that_no_type_holds_are_not_stacked_in_the_jvm(spark, monkeypatch, ids_and_number):
    monkeypatch.setattr(jvm_backend, "function_in_jvm", lambda *_, **__: sf.struct)
    df = spark.sql("SELECT 1L AS a, 2D AS b, 1F AS x")
    feed = {"ids": ["a", "b"], "x": "x"}
    with pytest.raises(BindingError, match="cannot stack the columns of input 'ids'"):
        tfspark.predict(df, ids_and_number, feed=feed, narrow=True, engine="jvm")


@pytest.fixture
def ids_and_number(save):
    import tensorflow as tf

    ids, x = tf.TensorSpec((None, 2), tf.int64, "ids"), tf.TensorSpec((None,), tf.float32, "x")
    return save("ids", lambda ids, x: {"y": ids[:, 0] + tf.cast(x, tf.int64)}, ids, x)
