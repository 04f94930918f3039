"""A custom training loop: a gradient tape inside one `tf.function`.

It trains a built Keras model in place on batches of (x, y), and returns the same curves as `fit`.
Nothing is written. With the same batches in the same order, the weights equal those of `fit`, which
uses another order of a shuffled stream from its second epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

__all__ = ["train_by_tape"]


def train_by_tape(
    model: keras.Model,
    batches: Any,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    metric: keras.metrics.Metric,
    epochs: int,
    held_out: Any = None,
) -> dict[str, list[float]]:
    """Train `model` on every batch, `epochs` times.

    Args:
        model: with all its weights created.
        batches: a `tf.data.Dataset` of (x, y); a shuffled one gets a new order in each epoch.
        optimizer: a new one.
        loss: mean loss of a batch.
        metric: a second quantity to record; its name is the name of the curve.
        epochs: passes over `batches`.
        held_out: batches for the validation after each epoch, if any.

    Returns:
        `loss` and the metric's curve; with `held_out` also the same with the prefix `val_`.
    """
    mean = keras.metrics.Mean("loss")
    optimizer.build(model.trainable_variables)

    def note(y: Any, answer: Any, value: Any) -> None:
        mean.update_state(value, sample_weight=tf.shape(y)[0])
        metric.update_state(y, answer)

    # One signature for every batch, so that a smaller last batch is not traced again.
    @tf.function(input_signature=batches.element_spec)
    def learn(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            answer = model(x, training=True)
            value = loss(y, answer)
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(value, weights), weights)
        note(y, answer, value)

    @tf.function(input_signature=batches.element_spec)
    def judge(x: Any, y: Any) -> None:
        answer = model(x, training=False)
        note(y, answer, loss(y, answer))

    passes = {"": (learn, batches)} | ({} if held_out is None else {"val_": (judge, held_out)})
    curves: dict[str, list[float]] = {}
    for _ in range(epochs):
        for prefix, (step, data) in passes.items():
            for name, result in _pass(step, data, (mean, metric)).items():
                curves.setdefault(prefix + name, []).append(result)
    return curves


def _pass(
    step: Callable[[Any, Any], object], data: Any, tracked: Sequence[keras.metrics.Metric]
) -> dict[str, float]:
    """Run a step on every batch; return the results of the metrics by name."""
    for metric in tracked:
        metric.reset_state()
    for x, y in data:
        step(x, y)
    return {metric.name: float(metric.result()) for metric in tracked}
