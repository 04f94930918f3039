"""The Transformer of Spark ML: params, pipelines, saving and loading."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import DataFrame, SparkSession

import tfspark
from tfspark import mlflow_models
from tfspark.errors import BindingError, InvalidModelError, UsageError
from tfspark.ml import SavedModelTransformer
from tfspark.options import ScoreOptions
from tfspark.spark.ml.params import SavedModelParams, camel, snake
from tfspark.spark.ml.saving import _absolute


@pytest.fixture
def table(spark: SparkSession) -> DataFrame:
    rows = [(1, 1.0, 2.0, 3.0), (2, 3.0, 5.0, 4.0), (3, 7.0, 8.0, 10.0)]
    return spark.createDataFrame(rows, "id long, a double, b double, label double").coalesce(1)


def pipeline_of(model: Path, **params: Any) -> Pipeline:
    assembler = VectorAssembler(inputCols=["a", "b"], outputCol="features")
    stage = SavedModelTransformer(
        model=model, feed={"inputs": "features"}, fetch={"outputs": "y"}, **params
    )
    return Pipeline(stages=[assembler, stage])


def test_each_option_is_a_param() -> None:
    options = ScoreOptions.__dataclass_fields__
    assert {snake(camel(name)) for name in options} == set(options)
    params = {param.name for param in SavedModelParams().params}
    assert {camel(name) for name in options} <= params
    assert SavedModelParams().options == ScoreOptions(tags=["serve"], allow_ops=[])


def test_params_have_accessors_and_descriptions(linear: Path) -> None:
    stage = SavedModelTransformer(model=linear).setBatchSize(2).setOnNull({"inputs": 0})
    assert (stage.getModel(), stage.getBatchSize(), stage.getReason()) == (str(linear), 2, None)
    assert stage.options == ScoreOptions(
        tags=["serve"], allow_ops=[], batch_size=2, on_null={"inputs": 0}
    )
    assert stage.setBatchSize(None).options.batch_size is None
    explained = stage.explainParams()
    assert "onError: raise or null, for a row that cannot be scored (default: raise)" in explained


def test_a_copy_has_its_own_params(linear: Path) -> None:
    stage = SavedModelTransformer(model=linear, batchSize=2)
    copied = stage.copy({stage.batchSize: 3})
    assert (copied.uid, copied.getBatchSize(), stage.getBatchSize()) == (stage.uid, 3, 2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"modell": "m"}, "Did you mean 'model'"),
        ({"feed": {"inputs": b"x"}}, "JSON"),
        ({"keep": {1}}, "JSON"),
    ],
)
def test_wrong_params_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SavedModelTransformer(**params)


def test_wrong_values_are_refused_before_a_job(points: DataFrame, linear: Path) -> None:
    with pytest.raises(UsageError, match="param model is not set"):
        SavedModelTransformer().transform(points)
    with pytest.raises(UsageError, match="does not accept 'nativ'"):
        SavedModelTransformer(model=linear, engine="nativ").transform(points)  # type: ignore[arg-type]


def test_the_schema_is_known_without_a_job(points: DataFrame, linear: Path, jobs_of: Any) -> None:
    stage = SavedModelTransformer(model=linear, fetch={"outputs": "y"}, keep=["features"])
    schemas = []
    assert jobs_of(lambda: schemas.append(stage.transformSchema(points.schema))) == 0
    assert schemas == [stage.transform(points).schema]
    with pytest.raises(BindingError, match="'x'"):
        stage.setFeed({"inputs": "x"}).transformSchema(points.schema)


@pytest.mark.usefixtures("spark")
def test_a_saved_stage_allows_no_operations(
    linear: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stage = SavedModelTransformer(model=linear, allowOps=["WriteFile"])
    stage._setDefault(allowOps=["ReadFile"])  # metadata has defaults too
    stage.save(str(tmp_path / "saved"))
    loaded = SavedModelTransformer.load(str(tmp_path / "saved"))
    assert loaded.getAllowOps() == []
    assert "They are not allowed after loading" in caplog.text
    assert "WriteFile" in caplog.text


def test_a_saved_pipeline_gives_equal_rows(table: DataFrame, linear: Path, tmp_path: Path) -> None:
    model = tmp_path / "models" / "linear_model"
    shutil.copytree(linear, model)
    fitted = pipeline_of(model, batchSize=2).fit(table)
    scored = fitted.transform(table)
    evaluator = RegressionEvaluator(predictionCol="y", labelCol="label", metricName="mse")
    assert evaluator.evaluate(scored) == pytest.approx(1 / 3)
    fitted.write().overwrite().save(str(tmp_path / "one"))
    shutil.rmtree(model)
    (tmp_path / "one").rename(tmp_path / "other")

    loaded = PipelineModel.load(str(tmp_path / "other"))
    stage = loaded.stages[1]
    assert isinstance(stage, SavedModelTransformer)
    assert tfspark.load(stage.getModel()).digest == stage.getSha256()
    assert (stage.uid, stage.getBatchSize()) == (fitted.stages[1].uid, 2)
    assert loaded.transform(table).collect() == scored.collect()
    assert not list((tmp_path / "other").rglob("*.pb.crc"))

    with pytest.raises(UsageError, match="would delete the model of this stage"):
        stage.write().overwrite().save(str(Path(stage.getModel()).parent.parent))


def test_a_stage_of_a_relative_path_works_from_another_directory(
    points: DataFrame, linear: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = os.path.relpath(tmp_path / "saved")
    stage = SavedModelTransformer(model=linear)
    stage.save(saved)
    loaded = SavedModelTransformer.load(saved)
    monkeypatch.chdir(tmp_path)
    assert loaded.transform(points).collect() == stage.transform(points).collect()


def test_the_path_of_a_stage_is_absolute_unless_it_is_a_uri(
    spark: SparkSession, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_models, "find_spec", lambda _: True)
    assert Path(_absolute(spark, os.path.relpath(linear))).resolve() == linear.resolve()
    for uri in ("models:/price@champion", "hdfs://host/model"):
        assert _absolute(spark, uri) == uri
    assert _absolute(spark, "nowhere/model") == f"file:{Path.cwd()}/nowhere/model"


def test_a_stage_without_a_copy_keeps_path_and_digest(
    points: DataFrame, linear: Path, tmp_path: Path
) -> None:
    model = tmp_path / "models" / "linear_model"
    shutil.copytree(linear, model)
    stage = SavedModelTransformer(model=model, copyModel=False, outputShapes={"outputs": (1,)})
    stage.save(str(tmp_path / "saved"))
    loaded = SavedModelTransformer.load(str(tmp_path / "saved"))
    assert loaded.getModel() == str(model)
    assert loaded.transform(points).collect() == stage.transform(points).collect()
    (model / "1" / "another").write_text("file")
    with pytest.raises(InvalidModelError, match="digest"):
        loaded.transform(points)
