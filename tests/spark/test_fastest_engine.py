"""`engine="fastest"`: one choice for all partitions, and where there is nothing to time."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tfspark import predict, predict_rdd, predict_udf, register
from tfspark.engine_choice import EngineChoice
from tfspark.errors import UsageError
from tfspark.spark import fastest_engine
from tfspark.testing import compare_engines

pytestmark = pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")

ANSWERS = [3.0, 4.0, 9.0]


@pytest.fixture(autouse=True)
def forgotten():
    fastest_engine._CHOSEN.clear()
    yield
    fastest_engine._CHOSEN.clear()


def test_a_session_times_a_model_once(points, linear, jobs_of):
    frames = []

    def score():
        frames.append(predict(points, str(linear), fetch={"outputs": "y"}, engine="fastest"))

    assert jobs_of(score) > 0
    assert jobs_of(score) == 0
    for frame in frames:
        assert sorted(row["y"] for row in frame.collect()) == ANSWERS


@pytest.mark.parametrize("engine", ["auto", "openvino"])
def test_every_partition_uses_the_chosen_engine(spark, linear, monkeypatch, engine):
    """With OpenVINO, TensorFlow scores what OpenVINO refuses: NaN."""
    choice = EngineChoice(engine)
    monkeypatch.setattr(fastest_engine, "_without_trial", lambda *_: choice)
    rows = spark.sql("SELECT array(1F, float('nan')) AS features UNION ALL SELECT array(1F, 2F)")
    scored = predict(rows.repartition(2), {"m": linear}, fetch={"outputs": "y"}, engine="fastest")
    assert sorted(str(row["m_y"]) for row in scored.collect()) == ["3.0", "nan"]


def test_expressions_and_no_rows(spark, points, linear):
    twice = predict(
        points.selectExpr("features[0] AS a", "features[1] AS b"),
        str(linear),
        feed={"inputs": ["a", "b"]},
        keep=[],
        engine="fastest",
    )
    assert sorted(row[0] for row in twice.collect()) == ANSWERS
    fastest_engine._CHOSEN.clear()
    assert predict(points.where("false"), str(linear), engine="fastest").count() == 0


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_the_job_reports_its_choice(scored_by_job, capsys, path):
    assert scored_by_job("--engine", "fastest", "--path", path) == ANSWERS
    report = json.loads(Path(capsys.readouterr().out.split()[-1]).read_text())
    found = EngineChoice(**report["engine"])
    assert found.rows_per_second.keys() == {"auto", "openvino"}
    assert found.engine in {"native", "openvino"}
    assert min(found.rows_per_second.values()) > 0


def test_a_model_that_openvino_cannot_run_is_not_timed(points, save, jobs_of, caplog):
    import tensorflow as tf

    caplog.set_level("INFO")
    spec = tf.TensorSpec((None, 2), tf.float32, name="inputs")
    model = save("fastest_random", lambda x: {"y": x + tf.random.normal([2])}, spec)
    assert jobs_of(lambda: predict(points, model, engine="fastest")) == 0
    assert "engine  auto (openvino is not used:" in caplog.text
    assert "RandomStandardNormal" in caplog.text


APIS = {
    "udf": lambda spark, model: predict_udf(model, engine="fastest", spark=spark),
    "sql": lambda spark, model: register(spark, "fastest_linear", model, engine="fastest"),
    "rdd": lambda spark, model: predict_rdd(
        spark.sparkContext.parallelize([1]), model, engine="fastest"
    ),
    "stream": lambda spark, model: predict(
        spark.readStream.format("rate").load().selectExpr("array(1F, 2F) AS features"),
        model,
        engine="fastest",
    ),
}


@pytest.mark.parametrize("api", APIS)
def test_an_api_without_rows_refuses(spark, linear, api):
    with pytest.raises(UsageError, match="compare_engines"):
        APIS[api](spark, str(linear))


def test_people_see_a_table(linear, capsys):
    choice = compare_engines(linear, {"features": [[1.0, 2.0], [3.0, 5.0]]})
    table = capsys.readouterr().out
    assert table.splitlines()[0].split() == ["engine", "rows/s", "of", "auto"]
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["auto", "openvino"]
    assert table.count("chosen") == 1
    assert choice.engine in table
    with pytest.raises(UsageError, match="there are none"):
        compare_engines(linear, {"features": []})
