"""`engine="openvino"` in every API of the Python workers, and its refusals on the driver."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from tfspark import predict, predict_rdd, predict_udf, register
from tfspark.engine.protocol import CannotServeError
from tfspark.errors import EngineError
from tfspark.spark.cluster import worker_versions as asking
from tfspark.spark.cluster.worker_versions import worker_versions

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

ANSWERS = [3.0, 4.0, 9.0]


def by_sql(points: Any, model: Any, **options: Any) -> Any:
    points.createOrReplaceTempView("openvino_points")
    register(points.sparkSession, "openvino_linear", model, **options)
    return points.sparkSession.sql("SELECT openvino_linear(features) AS y FROM openvino_points")


APIS = {
    "predict": lambda df, model, **o: predict(df, model, fetch={"outputs": "y"}, **o),
    "arrow": lambda df, model, **o: df.select(predict_udf(model, **o)("features").alias("y")),
    "pandas": lambda df, model, **o: df.select(
        predict_udf(model, kind="pandas", **o)("features").alias("y")
    ),
    "sql": by_sql,
}


@pytest.mark.parametrize("api", APIS)
def test_every_api_takes_openvino(points, linear, api):
    scored = APIS[api](points, str(linear), engine="openvino")
    assert sorted(row["y"] for row in scored.collect()) == ANSWERS


def test_the_rdd_api_takes_openvino(points, linear):
    elements = points.rdd.map(lambda row: row.features)
    assert sorted(predict_rdd(elements, str(linear), engine="openvino").collect()) == ANSWERS


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_the_batch_job_takes_openvino(scored_by_job, path):
    assert scored_by_job("--engine", "openvino", "--path", path) == ANSWERS


def test_a_model_that_openvino_cannot_run_is_refused_before_the_first_task(points, save):
    import tensorflow as tf

    spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
    model = save("openvino_random", lambda x: {"y": x + tf.random.normal([2])}, spec)
    with pytest.raises(CannotServeError, match="'RandomStandardNormal'"):
        predict(points, model, engine="openvino")


def test_workers_are_asked_only_for_the_package_of_the_engine(spark, monkeypatch):
    assert "openvino" in worker_versions(spark, engine="openvino")
    monkeypatch.setattr(asking, "packages_of", lambda name: frozenset({"no_such_engine"}))
    with pytest.raises(EngineError, match="have no no_such_engine"):
        worker_versions(spark, engine="openvino")
