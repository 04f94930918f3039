"""A dense network that reads handwritten digits; the data come with scikit-learn.

Input: 1797 pictures of 8x8 grey values from 0 to 16, row by row. Output: a model with input
`pixels` (None, 64) float32, raw values, and the outputs `probabilities` (None, 10) float32 and
`digit` (None,) int64, exported to `<base>/digits/<version>`; and the pictures as a Parquet file to
score.

Invariant: the scaling is in the graph, so that a table of raw pixels can be scored without
preparation.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from models.export import export as export_model

__all__ = [
    "NAME",
    "Digits",
    "build",
    "dataset",
    "evaluate",
    "export",
    "full_dataset",
    "serving",
    "train",
    "write_parquet",
]

NAME = "digits"
PIXELS = 64
CLASSES = 10
MAX_GREY = 16
COLUMNS = pa.schema([("id", pa.int64()), ("pixels", pa.list_(pa.float32())), ("label", pa.int32())])

Array = np.ndarray[Any, Any]


class Digits(NamedTuple):
    """Training and test pictures.

    Attributes:
        x: (1437, 64) float32, grey values from 0 to 16.
        y: (1437,) int32, the digit.
        test_x: the held-out fifth, (360, 64), stratified by digit.
        test_y: its digits.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def full_dataset() -> tuple[Array, Array]:
    """Return all pictures, (1797, 64) float32, and their digits, (1797,) int32."""
    pixels, labels = load_digits(return_X_y=True)
    return pixels.astype(np.float32), labels.astype(np.int32)


def dataset(seed: int = 0) -> Digits:
    """Hold out a fifth of the pictures."""
    x, y = full_dataset()
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=y)
    return Digits(x, y, test_x, test_y)


def write_parquet(path: str | os.PathLike[str]) -> Path:
    """Write all pictures as one Parquet file with the columns `id`, `pixels` and `label`.

    Args:
        path: the file; its folder is created if missing.

    Returns:
        The file: 1797 rows of `id` (long, 0 to 1796), `pixels` (array of 64 floats), `label` (int).
    """
    pixels, labels = full_dataset()
    columns = {"id": range(len(labels)), "pixels": list(pixels), "label": labels.tolist()}
    table = pa.table(columns, schema=COLUMNS)
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    return file


def build(seed: int = 0) -> keras.Model:
    """Return the network 64-128-64-10, compiled; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((PIXELS,), name="pixels"),
            keras.layers.Rescaling(1.0 / MAX_GREY),
            keras.layers.Dense(128, "relu"),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(CLASSES, "softmax", name="probabilities"),
        ],
        name=NAME,
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(
    model: keras.Model, data: Digits, *, seed: int = 0, epochs: int = 20
) -> dict[str, list[float]]:
    """Fit `model` in place, 32 pictures per step; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    history: dict[str, list[float]] = model.fit(
        data.x, data.y, batch_size=32, epochs=epochs, verbose=0
    ).history
    return history


def evaluate(model: keras.Model, data: Digits) -> dict[str, float]:
    """Return `accuracy` and `loss` (mean cross-entropy) on the held-out pictures."""
    loss, accuracy = model.evaluate(data.test_x, data.test_y, batch_size=360, verbose=0)
    return {"accuracy": accuracy, "loss": loss}


def serving(model: keras.Model) -> keras.Model:
    """Add the output `digit`, the most probable class, as int64."""
    [probabilities] = model.outputs
    digit = keras.ops.cast(keras.ops.argmax(probabilities, axis=-1), "int64")
    return keras.Model(model.inputs, {"probabilities": probabilities, "digit": digit}, name=NAME)


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/digits/<next version>` with the outputs of `serving`, and return it."""
    return export_model(serving(model), base, name=NAME, fold=fold)
