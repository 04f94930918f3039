"""Writes a model for mlflow: in its TensorFlow flavour, and as a custom Python model.

Run as a process (`python -m benchmarks.peers.mlflow_model TASK`) in the environment of
`mlflow.txt`, before the measurement; TASK is a `Task` as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.task import Task


def model_path(task: Task, flavour: str) -> str:
    """Return the path of a model in mlflow's format."""
    return str(Path(task.model).parent.parent / "mlflow" / f"{task.case}-{flavour}")


def is_saved(task: Task) -> bool:
    """Whether the model was written in both formats."""
    return all(Path(model_path(task, flavour)).is_dir() for flavour in ("mlflow", "mlflow_own"))


def save(task: Task) -> None:
    """Write a model in both formats, if missing."""
    for flavour, write in (("mlflow", _save_keras), ("mlflow_own", _save_own)):
        folder = Path(model_path(task, flavour))
        if not folder.is_dir():
            aside = folder.with_name(f".{folder.name}")
            shutil.rmtree(aside, ignore_errors=True)
            write(task, aside)
            aside.rename(folder)


def _save_keras(task: Task, folder: Path) -> None:
    import keras
    import mlflow
    import numpy as np
    from mlflow.types import Schema, TensorSpec

    model = keras.models.load_model(Path(task.model).parent.parent / f"keras/{task.case}.keras")
    number = np.dtype(np.float32)
    signature = mlflow.models.ModelSignature(
        inputs=Schema([TensorSpec(number, (-1, *task.shape))]),
        outputs=Schema([TensorSpec(number, (-1, task.width))]),
    )
    mlflow.tensorflow.save_model(model, folder, signature=signature)


def _save_own(task: Task, folder: Path) -> None:
    import mlflow
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    numbers = Array(DataType.float)
    mlflow.pyfunc.save_model(
        folder,
        python_model=_own_model(task),
        artifacts={"model": task.export_dir},
        signature=mlflow.models.ModelSignature(
            inputs=Schema([ColSpec(numbers, task.columns[0])]),
            outputs=Schema([ColSpec(DataType.float)]),
        ),
    )


def _own_model(task: Task) -> Any:
    import mlflow

    shape, width, column = task.shape, task.width, task.columns[0]

    class Model(mlflow.pyfunc.PythonModel):
        def load_context(self, context: Any) -> None:
            from benchmarks.signature_call import kept_signature

            self._predict = kept_signature(context.artifacts["model"], shape, width)

        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            import numpy as np

            del context, params
            return self._predict(np.stack(model_input[column].to_numpy()))

    return Model()


if __name__ == "__main__":
    save(Task.from_json(json.loads(sys.argv[1])))
