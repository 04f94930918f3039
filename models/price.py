"""Fits a line through five house prices, by gradient descent written by hand.

The data are in this file. The model is a `tf.Module`, exported to `<base>/price/<version>`. It
takes `year` (None,) int64 and returns `price` (None,) float32.

Years and prices are both scaled to [0, 1], where the line is a·x + b with a ≈ 0.97 and b ≈ 0.05.
Both directions of the scaling are in the graph.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from models.export import export as export_model

__all__ = ["NAME", "Line", "Prices", "build", "dataset", "evaluate", "export", "train"]

NAME = "price"
YEARS = (2013, 2014, 2015, 2016, 2017)
PRICES = (12_000.0, 14_000.0, 15_000.0, 16_500.0, 17_500.0)
RATE = 1e-3

Array = np.ndarray[Any, Any]


class Prices(NamedTuple):
    """The five points.

    Attributes:
        years: (5,) int64, 2013 to 2017.
        prices: (5,) float32.
    """

    years: Array
    prices: Array


def dataset(seed: int = 0) -> Prices:  # noqa: ARG001 - there is nothing to draw
    """Return the five points, the same for each seed."""
    return Prices(np.array(YEARS, np.int64), np.array(PRICES, np.float32))


class Line(tf.Module):
    """Two variables, with their training and their prediction as graphs."""

    def __init__(self) -> None:
        super().__init__(name=NAME)
        self.a = tf.Variable(0.0)
        self.b = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64, "year")])
    def predict(self, year: Any) -> dict[str, Any]:
        """Answer a batch of years."""
        x = tf.cast(year - YEARS[0], tf.float32) / (YEARS[-1] - YEARS[0])
        return {"price": (self.a * x + self.b) * (PRICES[-1] - PRICES[0]) + PRICES[0]}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,)),
            tf.TensorSpec((None,)),
            tf.TensorSpec((), tf.int32),
        ]
    )
    def descend(self, x: Any, y: Any, steps: Any) -> Any:
        """Step against the gradient of half the summed squares; return this loss at each step."""
        losses = tf.TensorArray(tf.float32, steps, element_shape=())
        for step in tf.range(steps):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(self.a * x + self.b - y)) / 2
            by_a, by_b = tape.gradient(loss, [self.a, self.b])
            self.a.assign_sub(RATE * by_a)
            self.b.assign_sub(RATE * by_b)
            losses = losses.write(step, loss)
        return losses.stack()


def build(seed: int = 0) -> Line:  # noqa: ARG001 - there is nothing to draw
    """Return the line a = b = 0, the same for each seed."""
    return Line()


def train(
    model: Line,
    data: Prices,
    *,
    seed: int = 0,  # noqa: ARG001 - every step sees all points
    epochs: int = 10_000,
) -> dict[str, list[float]]:
    """Fit `model` in place, with all five points in each epoch, in one call of the graph.

    Returns:
        `loss`, half the summed squares of the scaled prices.
    """
    losses = model.descend(_scaled(data.years), _scaled(data.prices), epochs)
    return {"loss": losses.numpy().tolist()}


def _scaled(values: Array) -> Array:
    low, high = values.min(), values.max()
    return np.asarray((values - low) / (high - low), np.float32)


def evaluate(model: Line, data: Prices) -> dict[str, float]:
    """Return `mae` in the unit of the prices, on the same five points, and the line."""
    error = model.predict(data.years)["price"].numpy() - data.prices
    return {"mae": float(np.abs(error).mean()), "a": float(model.a), "b": float(model.b)}


def export(model: Line, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/price/<next version>` and return it."""
    signatures = {"serving_default": model.predict}
    return export_model(
        model, base, name=NAME, fold=fold, signatures=signatures, sample={"year": YEARS[:4]}
    )
