"""Logs a training to MLflow: the SavedModel with its signature, metrics, curves and the card.

Input: the facts of one training, its export dir and the folder of its report. Output: a run on the
tracking server (MLFLOW_TRACKING_URI), in the active experiment. Its artifact `model` is a model of
MLflow's flavor `tensorflow`, which MLflow and tfspark load; `card` is the report. mlflow is
imported on the first use.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from models.training.report import Training
from tfspark import dtypes
from tfspark.errors import EngineError, UsageError, explain
from tfspark.mlflow_models import limited_requests
from tfspark.package import load
from tfspark.signature import TensorSpec

__all__ = ["check_mlflow", "log_training"]

# The folder of the SavedModel in the artifact, as MLflow's own `log_model` names it.
_SAVED_MODEL = "tf2model"


def check_mlflow() -> None:
    """Check, before a training, that it can be logged.

    Raises:
        UsageError: when mlflow is not installed.
        EngineError: when the tracking server does not answer.
    """
    if find_spec("mlflow") is None:
        raise UsageError(
            explain(
                "--log-to-mlflow needs mlflow, which is not installed.",
                hint="pip install mlflow-skinny.",
            )
        )
    with limited_requests(), _Tracking("MLflow does not answer.") as mlflow:
        mlflow.MlflowClient().search_experiments(max_results=1)


def log_training(training: Training, export_dir: Path, report: Path) -> str:
    """Log a training as a new run.

    Args:
        training: its facts.
        export_dir: the SavedModel.
        report: the folder that `write_report` returns.

    Returns:
        The URI of the logged model, such as `runs:/RUN/model`.

    Raises:
        EngineError: when MLflow refuses the run; the export is complete.
    """
    problem = f"The model is exported to {export_dir}, but MLflow did not take the run."
    with _Tracking(problem) as mlflow, mlflow.start_run(run_name=training.name) as run:
        mlflow.set_tags({"mlflow.note.content": training.summary, "device": training.device})
        mlflow.log_params({"model": training.name, "data": training.data, "seed": training.seed})
        mlflow.log_metrics({**training.metrics, "seconds": training.seconds})
        for name, values in training.curves.items():
            for epoch, value in enumerate(values, start=1):
                mlflow.log_metric(f"curve_{name}", float(value), step=epoch)
        mlflow.log_artifacts(str(export_dir), f"model/{_SAVED_MODEL}")
        _log_description(mlflow, export_dir, run.info.run_id)
        mlflow.log_artifacts(str(report), "card")
        return f"runs:/{run.info.run_id}/model"


class _Tracking:
    """A context that gives the module mlflow, and raises a typed error in place of MLflow's."""

    def __init__(self, problem: str) -> None:
        self._problem = problem

    def __enter__(self) -> Any:
        return import_module("mlflow")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        failures = (import_module("mlflow.exceptions").MlflowException, OSError)
        if isinstance(error, failures):
            hint = "check MLFLOW_TRACKING_URI, and the rights of this user."
            raise EngineError(explain(self._problem, found=str(error), hint=hint)) from error


def _log_description(mlflow: Any, export_dir: Path, run_id: str) -> None:
    """Log the file `MLmodel`: the flavor, the folder of the SavedModel, and the signature."""
    models = import_module("mlflow.models")
    signature = load(export_dir).signature
    model = models.Model(
        artifact_path="model",
        run_id=run_id,
        signature=models.ModelSignature(
            inputs=_schema(signature.inputs), outputs=_schema(signature.outputs)
        ),
    )
    model.add_flavor("tensorflow", saved_model_dir=_SAVED_MODEL, model_type="tf2-module", code=None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "MLmodel"
        model.save(str(file))
        mlflow.log_artifact(str(file), "model")


def _schema(specs: Sequence[TensorSpec]) -> Any:
    """Return inputs or outputs as a schema of MLflow, where -1 is an open size."""
    types = import_module("mlflow.types")
    return types.Schema(
        [
            types.TensorSpec(
                np.dtype(dtypes.by_name(spec.dtype).numpy),
                tuple(-1 if size is None else size for size in spec.shape or (None,)),
                spec.name,
            )
            for spec in specs
        ]
    )
