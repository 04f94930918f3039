"""Classifies points on two rings: a `tf.Module` with layers, loss and loop written by hand.

Input: a seed. Output: a network 2-4-8-1 with input `points` (None, 2) float32 and output
`inner` (None,) float32, the probability of the inner ring, exported to `<base>/ring/<version>`.

`build_keras` and `train_keras` do the same with Keras, on the same data; there the output is (None,
1). Invariant: one seed gives the same data and starting weights.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from models.export import export as export_model

__all__ = [
    "NAME",
    "Network",
    "Rings",
    "build",
    "build_keras",
    "dataset",
    "evaluate",
    "export",
    "train",
    "train_keras",
]

NAME = "ring"
RADII = {1: 5.0, 0: 8.0}
"""Label → radius; 1 is the inner ring, 0 the outer one."""
ROWS = 2000
UNITS = (2, 4, 8, 1)
BATCH = 100
EPOCHS = 30

Array = np.ndarray[Any, Any]


class Rings(NamedTuple):
    """Training and test points.

    Attributes:
        points: (4000, 2) float32, in random order.
        inner: (4000,) float32, 1 for the inner ring, 0 for the outer one.
        test_points: other points from the same distribution.
        test_inner: their labels.
    """

    points: Array
    inner: Array
    test_points: Array
    test_inner: Array


def dataset(seed: int = 0) -> Rings:
    """Draw 2 000 points per ring to train on, and as many to test on."""
    rng = np.random.default_rng(seed)
    return Rings(*_rings(rng), *_rings(rng))


def _rings(rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw points with a normal distance from their ring; distances beyond 2 are drawn again."""
    inner = rng.permutation(np.repeat(list(RADII), ROWS))
    distances = rng.normal(size=inner.size)
    while (far := np.abs(distances) > 2).any():
        distances[far] = rng.normal(size=far.sum())
    radius = np.where(inner == 1, RADII[1], RADII[0]) + distances
    angle = rng.uniform(0, 2 * np.pi, inner.size)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return points.astype(np.float32), inner.astype(np.float32)


class Network(tf.Module):
    """Three dense layers by hand: ReLU, ReLU, sigmoid (61 parameters)."""

    def __init__(self, seed: int) -> None:
        super().__init__(name=NAME)
        rng = np.random.default_rng(seed)
        shapes = list(pairwise(UNITS))
        start = [rng.normal(0, np.sqrt(2 / shape[0]), shape) for shape in shapes]
        self.weights = [tf.Variable(values, dtype=tf.float32) for values in start]
        self.biases = [tf.Variable(tf.zeros(columns)) for _, columns in shapes]

    def __call__(self, points: Any) -> Any:
        """Return the probability of the inner ring, (n,)."""
        x = points
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = tf.nn.relu(x @ weight + bias)
        return tf.sigmoid(x @ self.weights[-1] + self.biases[-1])[:, 0]

    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, "points")])
    def score(self, points: Any) -> dict[str, Any]:
        """Return the answers of a batch by the name of the output."""
        return {"inner": self(points)}


def build(seed: int = 0) -> Network:
    """Return the network with random weights."""
    return Network(seed)


def train(
    model: Network, data: Rings, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, list[float]]:
    """Train in place by a gradient tape, 100 points per step; seeds Keras, NumPy and TensorFlow.

    Returns:
        `loss` (mean cross-entropy) and `accuracy`.
    """
    keras.utils.set_random_seed(seed)
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    @tf.function
    def learn(points: Any, inner: Any) -> Any:
        with tf.GradientTape() as tape:
            found = tf.clip_by_value(model(points), 1e-7, 1 - 1e-7)
            likely = inner * tf.math.log(found) + (1 - inner) * tf.math.log(1 - found)
            loss = -tf.reduce_mean(likely)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        right = tf.equal(found > 0.5, inner > 0.5)
        return loss, tf.reduce_mean(tf.cast(right, tf.float32))

    curves: dict[str, list[float]] = {"loss": [], "accuracy": []}
    batches = _batches(data, seed)
    for _ in range(epochs):
        means = np.mean([learn(*batch) for batch in batches], axis=0)
        for curve, value in zip(curves.values(), means, strict=True):
            curve.append(float(value))
    return curves


def build_keras(seed: int = 0) -> keras.Model:
    """Return the same network as a Sequential, compiled; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(units, "relu", kernel_initializer="he_normal") for units in (4, 8)]
    output = keras.layers.Dense(1, "sigmoid", name="inner")
    model = keras.Sequential([keras.Input((2,), name="points"), *hidden, output], name=NAME)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    return model


def train_keras(
    model: keras.Model, data: Rings, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, list[float]]:
    """Train the Sequential in place on the same batches, by `fit`; seeds all generators."""
    keras.utils.set_random_seed(seed)
    batches = _batches(data, seed).map(lambda points, inner: (points, inner[:, None]))
    history: dict[str, list[float]] = model.fit(
        batches, epochs=epochs, shuffle=False, verbose=0
    ).history
    return history


def _batches(data: Rings, seed: int) -> Any:
    rows = tf.data.Dataset.from_tensor_slices((data.points, data.inner))
    return rows.shuffle(len(data.points), seed=seed).batch(BATCH)


def evaluate(model: Any, data: Rings) -> dict[str, float]:
    """Return `accuracy` and `loss` (mean cross-entropy) of either network on the test points."""
    found = np.clip(np.ravel(model(data.test_points)), 1e-7, 1 - 1e-7)
    right = np.where(data.test_inner == 1, found, 1 - found)
    return {"accuracy": float(np.mean(right > 0.5)), "loss": float(-np.mean(np.log(right)))}


def export(model: Any, base: Path, *, fold: bool = False) -> Path:
    """Write either network as `<base>/ring/<next version>` and return it."""
    signatures = {"serving_default": model.score} if isinstance(model, Network) else None
    return export_model(model, base, name=NAME, fold=fold, signatures=signatures)
