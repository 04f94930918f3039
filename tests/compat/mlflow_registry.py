"""Models of a real MLflow server on SQLite; `tools/compat.py` runs it.

It needs pytest alone. TFSPARK_COMPAT_MODELS names the folder of the models.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

import tfspark
from jobs.batch_score import main as score
from jobs.sql_score import main as score_sql
from models.__main__ import main as train
from tests.compat.one_job import SCORED, session_in
from tfspark.errors import InvalidModelError, ModelNotFoundError, UsageError

LINEAR = str(Path(os.environ["TFSPARK_COMPAT_MODELS"]) / "linear" / "1")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow.MlflowClient]:
    """A tracking server with a registry, as a process."""
    home = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home}/mlflow.db"]
    command += ["--artifacts-destination", str(home / "artifacts")]
    with (home / "log").open("w") as log:
        settings = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, env=settings)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/health", home / "log")
        mlflow.set_tracking_uri(address)
        yield mlflow.MlflowClient()
    finally:
        server.terminate()
        server.wait()


def _wait_for(address: str, log: Path) -> None:
    """Ask until the server answers, with growing pauses, for at most five minutes."""
    retries = Retry(total=150, backoff_factor=0.1, backoff_max=2)
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retries))
        try:
            session.get(address, timeout=10).raise_for_status()
        except requests.RequestException as error:
            raise AssertionError(log.read_text()) from error


@pytest.fixture(scope="module")
def run(client: mlflow.MlflowClient) -> str:
    """A run with a SavedModel and a text as artifacts; the SavedModel has versions 1 and 2."""
    with mlflow.start_run() as started:
        mlflow.log_artifacts(LINEAR, "model")
        mlflow.log_text("a model", "card/README.md")
    run_id: str = started.info.run_id
    client.create_registered_model("price")
    for _ in range(2):
        client.create_model_version("price", f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias("price", "champion", "1")
    return run_id


@pytest.mark.parametrize(
    ("uri", "name", "version", "source"),
    [
        ("models:/price@champion", "price", 1, "models:/price/1"),
        ("models:/price/2", "price", 2, "models:/price/2"),
        ("runs:/{run}/model", "model", None, "runs:/{run}/model"),
    ],
)
def test_a_model_is_loaded(run: str, uri: str, name: str, version: int, source: str) -> None:
    package = tfspark.load(uri.format(run=run))
    assert (package.name, package.version) == (name, version)
    assert package.source == source.format(run=run)
    assert package.digest == tfspark.load(LINEAR).digest
    assert tfspark.lint(uri.format(run=run)) == []


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        ("models:/price@challenger", ModelNotFoundError, "MLflow cannot find or read"),
        ("models:/price/3", ModelNotFoundError, "MLflow cannot find or read"),
        ("models:/prize/1", ModelNotFoundError, "MLflow cannot find or read"),
        ("models:/price", ModelNotFoundError, "does not name a version"),
        ("runs:/{run}/nothing", ModelNotFoundError, "MLflow cannot find or read"),
        ("runs:/{run}/card", InvalidModelError, "has no SavedModel"),
    ],
)
def test_refusals(run: str, uri: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tfspark.load(uri.format(run=run))


def test_a_version_is_given_once(run: str) -> None:
    with pytest.raises(UsageError, match="leave out the option version"):
        tfspark.load("models:/price@champion", version=1)


def test_an_alias_is_scored_by_predict_and_in_sql(run: str, tmp_path: Path) -> None:
    spark = session_in(tmp_path, {})
    try:
        rows = spark.sql("SELECT id, float(id) a, 1f b FROM range(5)")
        feed = {"inputs": ["a", "b"]}
        scored = tfspark.predict(rows, "models:/price@champion", feed=feed, keep=["id"])
        assert sorted(map(tuple, scored.collect())) == SCORED
        tfspark.register(spark, "price", "models:/price@champion")
        found = spark.sql("SELECT id, price(float(id), 1f) FROM range(5)").collect()
        assert sorted(map(tuple, found)) == SCORED
    finally:
        spark.stop()
    query = "SELECT id, price(float(id), 1f) AS y FROM range(5)"
    flags = ["--register", "price=models:/price@champion", "--query", query, "--output", "sql"]
    assert score_sql(flags) == 0
    found = pq.read_table("sql").to_pylist()
    assert sorted((row["id"], row["y"]) for row in found) == SCORED


@pytest.mark.parametrize("accepts", [False, True])
def test_a_server_that_does_not_answer(
    accepts: bool, client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    address = mlflow.get_tracking_uri()
    try:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            if accepts:
                silent.listen()
            mlflow.set_tracking_uri(f"http://127.0.0.1:{silent.getsockname()[1]}")
            for uri in ("models:/price@champion", "runs:/12ab/model"):
                with pytest.raises(ModelNotFoundError, match="MLflow cannot find or read"):
                    tfspark.load(uri)
    finally:
        mlflow.set_tracking_uri(address)


def test_a_model_of_another_flavor(client: mlflow.MlflowClient) -> None:
    sklearn = pytest.importorskip("sklearn.dummy")
    model = sklearn.DummyRegressor().fit([[1.0]], [2.0])
    with mlflow.start_run():
        log = import_module("mlflow.sklearn").log_model
        log(model, name="model", registered_model_name="mean", pip_requirements=[])
    with pytest.raises(InvalidModelError, match="a model of the flavor 'sklearn'"):
        tfspark.load("models:/mean/1")


@pytest.mark.parametrize("flavour", ["keras", "tensorflow"])
def test_a_keras_model_is_exported_and_scored(
    flavour: str,
    client: mlflow.MlflowClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="y")])
    model.set_weights([np.array([[2.0], [-1.0]]), np.array([3.0])])
    name, log = f"dense-{flavour}", import_module(f"mlflow.{flavour}").log_model
    with mlflow.start_run():
        log(model, name="model", registered_model_name=name, pip_requirements=[])
    client.set_registered_model_alias(name, "champion", "1")
    package = tfspark.load(f"models:/{name}/1")
    (given,) = package.signature.inputs
    rows = pa.array([[1, 2], [3, 5], [7, 8]], pa.list_(pa.float32()))
    source, output = str(tmp_path / "in.parquet"), str(tmp_path / "out")
    pq.write_table(pa.table({"rows": rows}), source)
    flags = ["--feed", f"{given.name}=rows", "--keep", "rows", "--fetch"]
    flags += [f"{package.signature.outputs[0].name}=score", "--input", source]
    assert score(["--model", f"models:/{name}@champion", *flags, "--output", output]) == 0
    assert pq.read_table(output)["score"].to_pylist() == [3.0, 4.0, 9.0]
    told = json.loads(Path(capsys.readouterr().out.splitlines()[-1]).read_text())["model"]
    assert (told["path"], told["version"]) == (f"models:/{name}/1", 1)
    assert len(told["digest"]) == 64


def test_a_training_is_logged(
    client: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["linear", "--out", str(tmp_path), "--epochs", "2", "--log-to-mlflow"]
    assert train(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    printed = dict(line.split(None, 1) for line in lines[:-1])
    package = tfspark.load(printed["mlflow"])
    assert package.digest == tfspark.load(lines[-1]).digest
    run = client.get_run(printed["mlflow"].split("/")[1])
    assert run.data.params == {"model": "linear", "seed": "0", "data": run.data.params["data"]}
    assert f"{run.data.metrics['mae']:.4f}" == printed["mae"]
    assert len(client.get_metric_history(run.info.run_id, "curve_loss")) == 2
    cards = [one.path for one in client.list_artifacts(run.info.run_id, "card")]
    assert sorted(cards) == ["card/README.md", "card/curves.png", "card/metrics.json"]


def test_mlflow_loads_a_logged_training(
    client: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorflow")
    import mlflow.tensorflow

    assert train(["price", "--out", str(tmp_path), "--epochs", "1", "--log-to-mlflow"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith("mlflow")]
    uri = line.split()[1]
    found = mlflow.models.get_model_info(uri).signature
    assert [(one.name, one.type.name, one.shape) for one in found.inputs] == [
        ("year", "int64", (-1,))
    ]
    assert [(one.name, one.type.name) for one in found.outputs] == [("price", "float32")]
    assert "serving_default" in mlflow.tensorflow.load_model(uri).signatures
