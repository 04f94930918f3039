"""Every API on Spark Connect, in a process of its own with a server of its own, without a JVM."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.shell import ROOT, run_python

ANSWERS = [(3.0,), (4.0,), (9.0,)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.connect_server
def test_every_api_scores_without_a_jvm(linear: Path, tmp_path: Path) -> None:
    done = run_python(tmp_path, __file__, linear)
    assert done.returncode == 0, done.stderr[-6000:]
    printed = set(done.stdout.split())  # pipelines print too
    assert {
        "columns",
        "stream",
        "large",
        "bad",
        "doctor",
        "pipeline",
        "ml",
        "swap",
        "table",
    } <= printed


def main(model: str) -> None:
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.remote("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    rows = [([1.0, 2.0],), ([3.0, 5.0],), ([7.0, 8.0],)]
    spark.createDataFrame(rows, "features array<float>").coalesce(1).write.parquet("rows")
    checks = {
        "columns": columns_are_scored,
        "stream": streams_are_scored,
        "large": a_large_model_is_refused,
        "bad": bad_rows_are_set_aside,
        "doctor": the_doctor_asks_the_executors,
        "pipeline": pipelines_are_scored,
        "ml": a_transformer_is_saved_and_loaded,
        "swap": a_stream_takes_new_versions,
        "table": the_program_for_databricks_scores_a_table,
    }
    with trapped():
        for name, check in checks.items():
            check(spark, model)
            print(name)
    spark.stop()


@contextmanager
def trapped() -> Iterator[None]:
    """Fail if anything asks for the JVM of a session, even if the error is caught."""
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

    touched: list[str] = []

    def trap(name: str) -> property:
        def get(self: object) -> None:
            touched.append(name)
            raise AttributeError(name)

        return property(get)

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (SparkSession, "sparkContext"),
            (SparkSession, "_jvm"),
            (DataFrame, "rdd"),
        ):
            patch.setattr(owner, name, trap(name), raising=False)
        yield
    assert touched == []


def columns_are_scored(spark: Any, model: str) -> None:
    from tfspark import lint, load, predict, predict_rdd, predict_udf, register
    from tfspark.errors import UsageError

    rows = spark.read.parquet("rows")
    assert lint(load(model)) == []
    register(spark, "tfpredict", model)
    rows.createOrReplaceTempView("t")
    forms = [
        predict(rows, model, keep=[]),
        rows.select(predict_udf(model)("features")),
        rows.select(predict_udf(model, kind="pandas")("features")),
        spark.sql("SELECT tfpredict(features) FROM t"),
    ]
    for scored in forms:
        assert sorted(map(tuple, scored.collect())) == ANSWERS
    with pytest.raises(UsageError, match="RDD"):
        predict_rdd(rows, model)  # type: ignore[arg-type]


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


def a_transformer_is_saved_and_loaded(spark: Any, model: str) -> None:
    from pyspark.ml import Pipeline, PipelineModel
    from pyspark.ml.evaluation import RegressionEvaluator
    from pyspark.ml.feature import VectorAssembler

    from tfspark.ml import SavedModelTransformer

    rows = [(1.0, 2.0, 3.0), (3.0, 5.0, 4.0), (7.0, 8.0, 9.0)]
    table = spark.createDataFrame(rows, "a double, b double, label double")
    stage = SavedModelTransformer(model=model, feed={"inputs": "v"}, fetch={"outputs": "y"})
    assembler = VectorAssembler(inputCols=["a", "b"], outputCol="v")
    assert stage.transformSchema(assembler.transform(table).schema).names[-1] == "y"
    fitted = Pipeline(stages=[assembler, stage]).fit(table)
    scored = fitted.transform(table)
    assert sorted((row.y,) for row in scored.collect()) == ANSWERS
    assert RegressionEvaluator(predictionCol="y").evaluate(scored) == 0.0
    place = str(Path("saved").absolute())
    for _ in range(2):
        fitted.write().overwrite().save(place)
    stage.write().overwrite().save(f"{place}-stage")
    stage.write().overwrite().save(f"{place}-stage")
    shutil.move(place, f"{place}-elsewhere")
    loaded = PipelineModel.load(f"{place}-elsewhere")
    assert loaded.transform(table).collect() == scored.collect()
    assert SavedModelTransformer.load(f"{place}-stage").getFeed() == {"inputs": "v"}


def a_stream_takes_new_versions(spark: Any, model: str) -> None:
    import tfspark
    from tfspark.errors import UsageError

    place = Path("swap").absolute()
    shutil.copytree(f"{model}/1", place / "model" / "1")
    schema = "id long, features array<float>"
    target = str(place / "scores")

    def write(frame: Any, batch: int) -> None:
        frame.selectExpr("id", "y", "version").write.mode("append").parquet(target)

    def score() -> Any:
        rows = spark.sql("SELECT id, array(float(id), 0f) features FROM range(3)")
        rows.coalesce(1).write.mode("append").parquet(str(place / "rows"))
        scorer = tfspark.score_batches(
            place / "model",
            write,
            checkpoint=place / "log",
            fetch={"outputs": "y"},
            version_column="version",
        )
        stream = spark.readStream.schema(schema).parquet(str(place / "rows"))
        writer = scorer.writer(stream).trigger(availableNow=True)
        writer.start().awaitTermination()
        return scorer

    score()
    shutil.copytree(f"{model}/1", place / "model" / "2")
    score()
    (place / "model" / "3").mkdir()
    (place / "model" / "3" / "saved_model.pb").write_bytes(b"broken")
    refused = score().refusals()
    assert [(one.version, one.batch) for one in refused] == [(3, 2)]
    found = sorted(tuple(row) for row in spark.read.parquet(target).collect())
    assert found == [(id, 2.0 * id + 3, v) for id in range(3) for v in (1, 2, 2)]  # noqa: A001

    for sink, checkpoint in ((target, place / "log"), (write, "hdfs://host/log")):
        with pytest.raises(UsageError, match="On Spark Connect"):
            tfspark.score_batches(place / "model", sink, checkpoint=checkpoint)


def the_program_for_databricks_scores_a_table(spark: Any, model: str) -> None:
    main = runpy.run_path(str(ROOT / "examples" / "databricks" / "score.py"))["main"]
    spark.read.parquet("rows").createOrReplaceTempView("listed")
    main(["--model", model, "--input-table", "listed", "--output-table", "priced"])
    assert sorted(map(tuple, spark.table("priced").select("outputs").collect())) == ANSWERS


if __name__ == "__main__":
    main(sys.argv[1])
