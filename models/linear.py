"""The smallest model to score: y = 2*x0 - x1 + 3, learned from 800 noisy points.

Input: a seed. Output: one dense unit with input `inputs` (None, 2) float32 and output layer
`outputs` (None, 1), exported to `<base>/linear_model/<version>`.

Invariant: one seed gives the same data and, on the same machine, the same weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from models.export import export as export_model

__all__ = ["NAME", "Points", "build", "dataset", "evaluate", "export", "train"]

NAME = "linear_model"
WEIGHTS = (2.0, -1.0)
BIAS = 3.0
NOISE = 2.0
"""Standard deviation of y around the plane."""
ROWS = 800

Array = np.ndarray[Any, Any]


class Points(NamedTuple):
    """Training and test points.

    Attributes:
        x: (800, 2) float32, uniform in [-10, 10].
        y: (800, 1) float32, noisy.
        test_x: other points, drawn like `x`.
        test_y: their values, noisy as well.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def dataset(seed: int = 0) -> Points:
    """Draw 800 points to train on and 800 to test on."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-10.0, 10.0, (2 * ROWS, 2))
    y = x @ np.reshape(WEIGHTS, (2, 1)) + BIAS + rng.normal(0.0, NOISE, (2 * ROWS, 1))
    x, y = x.astype(np.float32), y.astype(np.float32)
    return Points(x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:])


def build(seed: int = 0) -> keras.Model:
    """Return one dense unit (3 parameters), compiled; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((2,), name="inputs"), keras.layers.Dense(1, name="outputs")], name=NAME
    )
    # 100 steps, one epoch, per call into TensorFlow: the same arithmetic with less overhead.
    model.compile("rmsprop", "mse", metrics=["mae"], steps_per_execution=100)
    return model


def train(
    model: keras.Model, data: Points, *, seed: int = 0, epochs: int = 100
) -> dict[str, list[float]]:
    """Fit `model` in place, 8 points per step; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    history: dict[str, list[float]] = model.fit(
        data.x, data.y, batch_size=8, epochs=epochs, verbose=0
    ).history
    return history


def evaluate(model: keras.Model, data: Points) -> dict[str, float]:
    """Return `mae` on the test points (the noise alone gives 1.6) and the three parameters."""
    _, mae = model.evaluate(data.test_x, data.test_y, batch_size=ROWS, verbose=0)
    weights, bias = model.get_layer("outputs").get_weights()
    return {"mae": mae, "w0": float(weights[0, 0]), "w1": float(weights[1, 0]), "b": float(bias[0])}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/linear_model/<next version>` and return it."""
    return export_model(model, base, name=NAME, fold=fold)
