"""Handwritten digits of 28×28 pixels: three networks, and two ways to train without `fit`.

Input: `mnist.npz` with x_train, x_test (n, 28, 28) uint8 and y_train, y_test (n,), as Keras
publishes it; without one, scikit-learn's real digits, enlarged. Output: the model, exported to
`<base>/mnist/<version>`: `image` (None, 28, 28, 1) float32, grey values from 0 (paper) to 255, to
`probabilities` (None, 10) float32 and `digit` (None,) int64; and pictures as a Parquet file to
score.

`build` is the convolutional network, `build_mlp` the dense one, `build_small` a subclassed one.
`train` uses `train_on_batch`; `train_loop` is a custom loop that can be interrupted.

Invariant: the scaling is in the graph.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from models.export import export as export_model
from models.reading.handwriting import (
    CLASSES,
    SIDE,
    Digits,
    enlarged_digits,
    read_digits,
    write_digits,
)
from models.reading.synthetic import synthetic_folder
from models.training.checkpoints import Checkpoints

__all__ = [
    "NAME",
    "Digits",
    "SmallCnn",
    "build",
    "build_mlp",
    "build_small",
    "dataset",
    "evaluate",
    "export",
    "train",
    "train_loop",
    "write_data",
    "write_parquet",
]

NAME = "mnist"
BATCH = 50
LEARNING_RATE = 1e-3
COLUMNS = pa.schema([("id", pa.int64()), ("image", pa.list_(pa.float32())), ("label", pa.int32())])

Array = np.ndarray[Any, Any]


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write `mnist.npz` with scikit-learn's digits, a fifth of them to test, to a folder."""
    return write_digits(folder, seed)


def dataset(seed: int = 0, folder: Path | None = None) -> Digits:
    """Read the digits of a folder, or scikit-learn's.

    Args:
        seed: seed of the split of scikit-learn's digits.
        folder: holds `mnist.npz`.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when an array is missing, or has another shape or invalid values.
    """
    return read_digits(folder or synthetic_folder(write_data, seed))


def write_parquet(path: str | os.PathLike[str], seed: int = 0, folder: Path | None = None) -> Path:
    """Write the test pictures of `dataset(seed, folder)` as a table to score.

    Args:
        path: the Parquet file; its folder is created if missing.
        seed: as in `dataset`.
        folder: as in `dataset`.

    Returns:
        The file: rows of `id` (long, from 0), `image` (array of 784 floats, row by row, from 0 to
        255) and `label` (int).
    """
    data = dataset(seed, folder)
    pixels = data.test_x.reshape(len(data.test_x), -1).astype(np.float32)
    columns = {"id": range(len(pixels)), "image": list(pixels), "label": data.test_y.tolist()}
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=COLUMNS), file)
    return file


def build(seed: int = 0) -> keras.Model:
    """Return the convolutional network 32-64-1024-10 (functional, 3 274 634 parameters), compiled.

    Convolutions of 5×5 with `same` padding, each with max pooling; seeds all random numbers.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = layers.Rescaling(1.0 / 255)(image)
    for filters in (32, 64):
        x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(1024, "relu")(layers.Flatten()(x))
    answer = layers.Dense(CLASSES, "softmax", name="probabilities")(x)
    return _compiled(keras.Model(image, answer, name=NAME))


def build_mlp(seed: int = 0) -> keras.Model:
    """Return the dense network 784-100-10 (Sequential, 79 510 parameters), compiled."""
    keras.utils.set_random_seed(seed)
    return _compiled(
        keras.Sequential(
            [
                keras.Input((SIDE, SIDE, 1), name="image"),
                keras.layers.Rescaling(1.0 / 255),
                keras.layers.Flatten(),
                keras.layers.Dense(100, "relu"),
                keras.layers.Dense(CLASSES, "softmax", name="probabilities"),
            ],
            name=NAME,
        )
    )


class SmallCnn(keras.Model):
    """Two convolutions of 16 and a global average, as a subclass (2 650 parameters)."""

    def __init__(self) -> None:
        super().__init__(name=NAME)
        self.scale = keras.layers.Rescaling(1.0 / 255)
        self.first = keras.layers.Conv2D(16, 3, activation="relu")
        self.second = keras.layers.Conv2D(16, 3, activation="relu")
        self.average = keras.layers.GlobalAveragePooling2D()
        self.probabilities = keras.layers.Dense(CLASSES, "softmax")

    def call(self, image: Any) -> Any:
        """Return the probabilities (n, 10) of pictures (n, 28, 28, 1)."""
        return self.probabilities(self.average(self.second(self.first(self.scale(image)))))


def build_small(seed: int = 0) -> keras.Model:
    """Return a `SmallCnn` with its weights created, compiled."""
    keras.utils.set_random_seed(seed)
    model = SmallCnn()
    model(np.zeros((1, SIDE, SIDE, 1), np.float32))
    return _compiled(model)


def _compiled(model: keras.Model) -> keras.Model:
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _batches(data: Digits, seed: int, epoch: int) -> Iterator[tuple[Array, Array]]:
    """Yield the pictures of one epoch, in an order that depends only on seed and epoch."""
    order = np.random.default_rng((seed, epoch)).permutation(len(data.x))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        yield data.x[rows], data.y[rows]


def train(
    model: keras.Model, data: Digits, *, seed: int = 0, epochs: int = 5
) -> dict[str, list[float]]:
    """Train any of the networks in place by `train_on_batch`, 50 pictures per step.

    Returns:
        `loss` and `accuracy`, the means over the pictures of each epoch.
    """
    keras.utils.set_random_seed(seed)
    curves: dict[str, list[float]] = {"loss": [], "accuracy": []}
    for epoch in range(epochs):
        sums = dict.fromkeys(curves, 0.0)
        for x, y in _batches(data, seed, epoch):
            model.reset_metrics()  # older Keras does not reset its metrics
            logs = model.train_on_batch(x, y, return_dict=True)
            sums = {name: total + len(x) * float(logs[name]) for name, total in sums.items()}
        for name, total in sums.items():
            curves[name].append(total / len(data.x))
    return curves


def train_loop(
    model: keras.Model,
    data: Digits,
    *,
    seed: int = 0,
    epochs: int = 5,
    log_dir: Path | None = None,
) -> dict[str, list[float]]:
    """Train any of the networks in place with a custom loop: tape, gradients, optimizer.

    Args:
        model: the model from one of the builders; its compiled optimizer is not used.
        data: the digits from `dataset`.
        seed: seed of the order of the pictures; the same as in `train`.
        epochs: in total, including earlier runs with this `log_dir`.
        log_dir: gets a checkpoint after each epoch. A later run continues from it and reaches the
            same weights as without the interruption. By default no file is written.

    Returns:
        `loss` and `accuracy` of the epochs of this run.

    Raises:
        DataError: when `log_dir` contains checkpoints of another network.
    """
    keras.utils.set_random_seed(seed)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy()
    loss = keras.metrics.Mean("loss")
    accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")

    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            answer = model(tf.cast(x, tf.float32), training=True)
            value = cross_entropy(y, answer)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        loss.update_state(value, sample_weight=tf.shape(y)[0])
        accuracy.update_state(y, answer)

    # One signature for every batch, so that a smaller last batch is not traced again.
    specs = [tf.TensorSpec((None, SIDE, SIDE, 1), tf.uint8), tf.TensorSpec((None,), tf.int64)]
    step_in_graph = tf.function(step, input_signature=specs)
    checkpoints = Checkpoints(log_dir, model=model, optimizer=optimizer)
    curves: dict[str, list[float]] = {"loss": [], "accuracy": []}
    for epoch in range(checkpoints.restore(), epochs):
        for metric in (loss, accuracy):
            metric.reset_state()
        for x, y in _batches(data, seed, epoch):
            step_in_graph(x, y)
        for metric in (loss, accuracy):
            curves[metric.name].append(float(metric.result()))
        checkpoints.save(epoch + 1)
    return curves


def evaluate(model: keras.Model, data: Digits) -> dict[str, float]:
    """Return `accuracy` and `loss` (mean cross-entropy) on the test pictures."""
    loss, accuracy = model.evaluate(data.test_x, data.test_y, batch_size=500, verbose=0)
    return {"accuracy": accuracy, "loss": loss}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/mnist/<next version>` from any of the networks and return it."""

    def digits(image: Any) -> dict[str, Any]:
        probabilities = model(image, training=False)
        return {"probabilities": probabilities, "digit": tf.argmax(probabilities, axis=1)}

    sample = {"image": enlarged_digits()[0][:4, ..., np.newaxis]}
    spec = tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32, "image")
    signatures = {"serving_default": tf.function(digits, input_signature=[spec])}
    return export_model(model, base, name=NAME, fold=fold, signatures=signatures, sample=sample)
