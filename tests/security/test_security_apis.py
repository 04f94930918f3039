"""Every API checks permissions and the digest before it loads a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

import tfspark
from jobs import batch_score, sql_score
from tests.security import forbidden
from tfspark.cli.batch_score import check_early, job_of
from tfspark.errors import ForbiddenOperationError, InvalidModelError, TfsparkError, UsageError
from tfspark.options import ScoreOptions
from tfspark.scoring.batch import new_report, plan
from tfspark.scoring.query import QueryJob, run_query
from tfspark.testing import check_recorded, rest_predict

Call = Callable[..., Any]


def _predict(spark: SparkSession, model: Path, **options: Any) -> Any:
    return tfspark.predict(spark.range(1).selectExpr("1f AS x"), model, **options)


def _function(spark: SparkSession, model: Path, **options: Any) -> Any:
    return tfspark.predict_udf(model, spark=spark, **options)


def _rdd(spark: SparkSession, model: Path, **options: Any) -> Any:
    return tfspark.predict_rdd(spark.sparkContext.parallelize([1.0]), model, **options)


def _register(spark: SparkSession, model: Path, **options: Any) -> Any:
    return tfspark.register(spark, "forbidden", model, **options)


def _job(spark: SparkSession, model: Path, **options: Any) -> Any:
    words = ["--model", str(model), "--input-table", "nothing", "--output", "nowhere"]
    for name, value in options.items():
        flag = {"sha256": "--model-sha256", "allow_ops": "--allow-ops"}[name]
        words += [flag, value if isinstance(value, str) else ",".join(value)]
    job = job_of(batch_score.parse_args(words))
    return plan(spark, job, new_report("test"))


def _query(spark: SparkSession, model: Path, **options: Any) -> Any:
    job = QueryJob(
        {"forbidden": str(model)}, "SELECT 1", options={"forbidden": ScoreOptions(**options)}
    )
    return run_query(spark, job)


APIS: Mapping[str, Call] = {
    "predict": _predict,
    "predict_udf": _function,
    "predict_rdd": _rdd,
    "register": _register,
    "job": _job,
    "SQL job": _query,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every forbidden model, and the file that no model may write."""
    return forbidden.write_all(tmp_path_factory.mktemp("forbidden"))


@pytest.mark.parametrize("api", APIS)
def test_no_api_runs_a_model_that_touches_more(
    api: str, spark: SparkSession, models: Mapping[str, Path]
) -> None:
    for name, model in models.items():
        _, op, _ = forbidden.MODELS[name]
        with pytest.raises(ForbiddenOperationError, match=op):
            APIS[api](spark, model)
        assert not (model.parent / "mark").exists()


@pytest.mark.parametrize("api", APIS)
def test_another_digest_is_refused(api: str, spark: SparkSession, linear: Path) -> None:
    with pytest.raises(InvalidModelError, match="not the one that was asked for"):
        APIS[api](spark, linear, sha256="0" * 64)
    with pytest.raises(UsageError, match="not the digest of a model"):
        APIS[api](spark, linear, sha256="latest")


def test_an_allowed_operation_runs(spark: SparkSession, models: Mapping[str, Path]) -> None:
    model = models["read in a signature"]
    package = tfspark.load(model)
    for given in (model, package):
        scored = _predict(spark, given, allow_ops=["ReadFile"], sha256=package.digest.upper())
        assert [row.y for row in scored.collect()] == ["canary"]
    with pytest.raises(UsageError, match="a list of operations"):
        _predict(spark, model, allow_ops="ReadFile")


def test_helpers_for_tests_run_only_what_is_allowed(models: Mapping[str, Path]) -> None:
    for name, model in models.items():
        with pytest.raises(ForbiddenOperationError, match=forbidden.MODELS[name][1]):
            rest_predict(model, {"instances": [1.0]})
        with pytest.raises(ForbiddenOperationError, match=forbidden.MODELS[name][1]):
            check_recorded(model)
        assert not (model.parent / "mark").exists()
    reading = models["read in a signature"]
    found = rest_predict(reading, {"instances": [1.0]}, allow_ops=["ReadFile"])
    assert found == {"predictions": ["canary"]}
    assert check_recorded(reading, allow_ops=["ReadFile"]) == 0


def test_a_job_refuses_a_local_model_before_it_starts_spark(
    models: Mapping[str, Path], linear: Path
) -> None:
    words = ["--input", "in", "--output", "out", "--model"]
    with pytest.raises(ForbiddenOperationError):
        check_early(batch_score.parse_args([*words, str(models["write in a function"])]))
    pinned = [*words, str(linear), "--model-sha256", "0" * 64]
    with pytest.raises(InvalidModelError):
        check_early(batch_score.parse_args(pinned))


def test_a_digest_names_a_registered_model(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--register", "score=model", "--query", "SELECT 1", "--model-sha256", "scor=0"]
    with pytest.raises(SystemExit):
        sql_score.parse_args(words)
    assert "Did you mean 'score'?" in capsys.readouterr().err


def test_a_broken_model_is_refused_by_its_digest_first(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(InvalidModelError, match="not the one that was asked for"):
        tfspark.load(tmp_path, sha256="0" * 64)
    with pytest.raises(TfsparkError, match="not a whole SavedModel"):
        tfspark.load(tmp_path)
