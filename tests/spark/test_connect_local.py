"""Streams and pipelines on Spark Connect, in a process of its own with a server of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shell import run_python

ANSWERS = [(3.0,), (4.0,), (9.0,)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.connect_server
def test_streams_and_pipelines_are_scored(linear: Path, tmp_path: Path) -> None:
    done = run_python(tmp_path, __file__, linear)
    assert done.returncode == 0, done.stderr[-6000:]
    printed = set(done.stdout.split())  # pipelines print too
    assert {"stream", "large", "bad", "doctor", "pipeline"} <= printed


def main(model: str) -> None:
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote("local[2]").getOrCreate()
    rows = [([1.0, 2.0],), ([3.0, 5.0],), ([7.0, 8.0],)]
    spark.createDataFrame(rows, "features array<float>").coalesce(1).write.parquet("rows")
    streams_are_scored(spark, model)
    print("stream")
    a_large_model_is_refused(spark, model)
    print("large")
    bad_rows_are_set_aside(spark, model)
    print("bad")
    the_doctor_asks_the_executors(spark, model)
    print("doctor")
    pipelines_are_scored(spark, model)
    print("pipeline")
    spark.stop()


def the_doctor_asks_the_executors(spark: Any, model: str) -> None:
    from tfspark.options import ScoreOptions
    from tfspark.scoring.diagnosis import diagnose

    found = diagnose(spark, model, ScoreOptions(timeout=100.0))
    assert found.problem() is None, found.table()
    assert "opens" in found.rows["model"].values()


def stream_of(spark: Any) -> Any:
    return spark.readStream.schema("features array<float>").parquet("rows")


def bad_rows_are_set_aside(spark: Any, model: str) -> None:
    from tfspark import predict, predict_udf

    rows = spark.createDataFrame([([1.0, 2.0],), ([3.0],)], "features array<float>").coalesce(1)
    scored = predict(rows, model, on_error="null", reason="why")
    function = predict_udf(model, on_error="null", reason="why")
    for good, bad in (
        scored.collect(),
        rows.select(function("features").alias("p")).select("p.*").collect(),
    ):
        assert (good.outputs, good.why) == (3.0, None)
        assert (bad.outputs, bad.why.code) == (None, "WRONG_SHAPE")

    rows.write.parquet("mixed")
    stream = spark.readStream.schema(rows.schema).parquet("mixed")
    scored = predict(stream, model, on_error="null", reason="why").select("outputs", "why.code")
    writer = scored.writeStream.format("parquet").option("checkpointLocation", "mixed-log")
    writer.trigger(availableNow=True).start("mixed-scored").awaitTermination()
    found = {tuple(row) for row in spark.read.parquet("mixed-scored").collect()}
    assert found == {(3.0, None), (None, "WRONG_SHAPE")}


def streams_are_scored(spark: Any, model: str) -> None:
    from tfspark import predict, predict_udf

    stream = stream_of(spark)
    forms = {
        "predict": predict(stream, model, fetch={"outputs": "y"}).select("y"),
        "udf": stream.select(predict_udf(model)("features").alias("y")),
    }
    for name, scored in forms.items():
        writer = scored.writeStream.format("parquet").option("checkpointLocation", f"{name}-log")
        writer.trigger(availableNow=True).start(name).awaitTermination()
        assert sorted(map(tuple, spark.read.parquet(name).collect())) == ANSWERS


def a_large_model_is_refused(spark: Any, model: str) -> None:
    from tfspark import predict
    from tfspark.errors import UsageError
    from tfspark.spark.cluster import distribution

    limit, distribution.PICKLE_LIMIT = distribution.PICKLE_LIMIT, 0
    with pytest.raises(UsageError, match='distribute="path"'):
        predict(stream_of(spark), model)
    for _ in range(2):  # an archive, of which the server is asked once more
        assert predict(spark.read.parquet("rows"), model).count() == 3
        distribution._archives.clear()
    distribution.PICKLE_LIMIT = limit


def pipelines_are_scored(spark: Any, model: str) -> None:
    from pyspark.pipelines.spark_connect_pipeline import handle_pipeline_events, start_run

    from tfspark import predict, predict_udf
    from tfspark.errors import UsageError

    source = str(Path("rows").absolute())
    with pytest.raises(UsageError, match="use predict_udf"):
        graph_of(spark, lambda: predict(spark.read.parquet(source), model))

    score = predict_udf(model)
    graph = graph_of(spark, lambda: spark.read.parquet(source).select(score("features").alias("y")))
    events = start_run(
        spark,
        graph,
        full_refresh=None,
        full_refresh_all=False,
        refresh=None,
        dry=False,
        storage=Path("storage").absolute().as_uri(),
    )
    handle_pipeline_events(events)
    assert sorted(map(tuple, spark.table("scored").collect())) == ANSWERS


def graph_of(spark: Any, query: Callable[[], Any]) -> str:
    """Return the id of a pipeline whose one view `scored` is a query."""
    from pyspark import pipelines
    from pyspark.pipelines.graph_element_registry import graph_element_registration_context
    from pyspark.pipelines.spark_connect_graph_element_registry import (
        SparkConnectGraphElementRegistry,
    )
    from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

    graph = create_dataflow_graph(spark, default_catalog=None, default_database=None, sql_conf=None)
    with graph_element_registration_context(SparkConnectGraphElementRegistry(spark, graph)):
        pipelines.materialized_view(name="scored")(query)
    return graph


if __name__ == "__main__":
    main(sys.argv[1])
