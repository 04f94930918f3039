"""The models of the working directory: small models, broken models, and other things."""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow as tf

from tests.thirdparty import batches, element_types, kernels, scalars, unknown_ranks
from tfspark.testing import save_function, save_linear


def write_models(folder: Path) -> None:
    """Write the models, each by its name below `folder`."""
    save_linear(folder / "linear_model" / "1")
    _broken(folder / "linear_model" / "1", folder)
    for name, save in {
        "open": unknown_ranks.hidden_output,
        "top": scalars.top,
        "minus": scalars.pair,
        "ints": scalars.pair_of_ints,
        "labels": batches.labels,
        "one_row": batches.one_row,
        "nccl": kernels.missing_kernel,
        "pixels": element_types.raw_pixels,
    }.items():
        save(folder / name / "1")
    words = tf.TensorSpec((None,), tf.string, "words")
    save_function(folder / "words" / "1", lambda words: {"same": tf.identity(words)}, words)
    _no_saved_models(folder)


def _broken(linear: Path, folder: Path) -> None:
    for name in ("truncated", "bare", "cut", "newest"):
        shutil.copytree(linear, folder / name / "1")
    file = folder / "truncated" / "1" / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-50])
    shutil.rmtree(folder / "bare" / "1" / "variables")
    data = folder / "cut" / "1" / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:3])
    (folder / "newest" / "2").mkdir()


def _no_saved_models(folder: Path) -> None:
    (folder / "empty").mkdir()
    for name in ("model.keras", "model.h5", "model.tflite"):
        (folder / name).write_bytes(b"\x89HDF\r\n\x1a\n TFL3")
    for name in ("mlflow", "mlflow_keras"):
        (folder / name / "data").mkdir(parents=True)
        (folder / name / "MLmodel").write_text("flavors:\n  tensorflow: {}\n")
    shutil.copytree(folder / "linear_model" / "1", folder / "mlflow" / "data" / "model")
    shutil.copy(folder / "model.keras", folder / "mlflow_keras" / "data")
