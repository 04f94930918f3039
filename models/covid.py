"""A recurrent network that predicts the new cases of the next day of an outbreak.

Input: a table of totals by day; see `models.reading.outbreak`. Output: a model exported to
`<base>/covid/<version>` with two signatures, both of `window` (None, None, 3) float32, the new
confirmed, cured and dead of any number of days, at least one: `serving_default` → `next_day` (None,
3), and `forecast` → `days` (None, 100, 3), which predicts a hundred days from the last 38 days, as
whole numbers.

Doubles and decimals are rounded to float32.

Invariants: no forecast is negative; the signature and the function `forecast` give equal results.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export import export as export_model
from models.reading.outbreak import COUNTS, Outbreak, read_outbreak, write_outbreak
from models.reading.synthetic import synthetic_folder
from models.refusal import DataError
from models.training.events import Events
from tfspark.errors import explain

__all__ = [
    "NAME",
    "AtLeastOneDay",
    "Block",
    "LearningRates",
    "SquaredPercentage",
    "build",
    "dataset",
    "evaluate",
    "export",
    "forecast",
    "forecast_function",
    "train",
    "write_data",
]

NAME = "covid"
UNITS = len(COUNTS)
HISTORY = 38
"""Days of history that a forecast uses, including days that it has predicted."""
DAYS = 100
SAMPLE = [[[620, 12, 9], [704, 9, 15], [811, 14, 15]], [[45, 1500, 30], [38, 1400, 27], [0, 0, 0]]]

Array = np.ndarray[Any, Any]
layers = keras.layers


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write 47 synthetic days in the layout of `--data`, and return the folder."""
    return write_outbreak(folder, seed)


def dataset(seed: int = 0, folder: Path | None = None) -> Outbreak:
    """Read the outbreak of a folder; without a folder, a synthetic one."""
    return read_outbreak(folder or synthetic_folder(write_data, seed))


class AtLeastOneDay(keras.layers.Layer):
    """Return windows unchanged; raise a clear error for an empty one, which has no last day."""

    def call(self, window: Any) -> Any:
        """Return the windows unchanged."""
        days = tf.shape(window)[1]
        some = tf.debugging.assert_positive(days, "A window has no days; expected at least one")
        with tf.control_dependencies([some] if some is not None else []):
            return tf.identity(window)


class Block(keras.layers.Layer):
    """Let the last day grow or shrink by a rate for each count, never below 0."""

    def call(self, window: Any, rate: Any) -> Any:
        """Return max((1 + rate) * last day, 0)."""
        return tf.maximum((1 + rate) * window[:, -1, :], 0.0)


class SquaredPercentage(keras.losses.Loss):
    """MSPE: mean of (y - ŷ)² / max(y², 1e-7), so that small counts weigh as much as large ones."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the mean over the counts, one value per window."""
        error = tf.square(y_true - y_pred) / tf.maximum(tf.square(y_true), 1e-7)
        return tf.reduce_mean(error, axis=-1)


class LearningRates(keras.callbacks.Callback):
    """Record the learning rate of every epoch, in `values`."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def on_epoch_begin(self, _epoch: int, _logs: Mapping[str, float] | None = None) -> None:
        """Record the rate before another callback lowers it."""
        self.values.append(float(self.model.optimizer.learning_rate))


def build(seed: int = 0) -> keras.Model:
    """Return four LSTM layers and the block (348 parameters), compiled; seeds all generators."""
    keras.utils.set_random_seed(seed)
    window = keras.Input((None, UNITS), name="window")
    x = checked = AtLeastOneDay()(window)
    for following in (True, True, True, False):
        x = layers.LSTM(UNITS, return_sequences=following)(x)
    next_day = Block(name="next_day")(checked, layers.Dense(UNITS)(x))
    model = keras.Model(window, next_day, name=NAME)
    model.compile(keras.optimizers.Adam(0.01), SquaredPercentage())
    return model


def train(
    model: keras.Model,
    data: Outbreak,
    *,
    seed: int = 0,
    epochs: int = 500,
    log_dir: Path | None = None,
) -> dict[str, list[float]]:
    """Fit `model` in place, all windows in each step; seeds Keras, NumPy and TensorFlow.

    The rate halves after 100 epochs without a better loss; after 200 the training ends.

    Args:
        model: the model from `build`.
        data: the outbreak from `dataset`.
        seed: seed of all random numbers.
        epochs: the most epochs.
        log_dir: folder for TensorBoard's events; `None` for none.

    Returns:
        `loss` and `learning_rate`.
    """
    keras.utils.set_random_seed(seed)
    rates = LearningRates()
    callbacks = [
        rates,
        keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=100),
        keras.callbacks.EarlyStopping("loss", patience=200),
        *([Events(log_dir)] if log_dir else []),
    ]
    history = model.fit(
        data.windows,
        data.next_days,
        batch_size=len(data.windows),
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    ).history
    return {"loss": history["loss"], "learning_rate": rates.values}


def evaluate(model: keras.Model, data: Outbreak) -> dict[str, float]:
    """Return `mspe` of the next days, and `mspe_same`, the error of predicting the last day again.

    Uses the training windows, as in the source: the series is too short to hold out a part.
    """
    same = SquaredPercentage()(data.next_days, data.windows[:, -1])
    mspe = model.evaluate(data.windows, data.next_days, len(data.windows), verbose=0)
    return {"mspe": float(mspe), "mspe_same": float(same)}


def forecast(model: keras.Model, history: Array, days: int = DAYS) -> Array:
    """Predict day by day; each predicted day, rounded down, becomes part of the history.

    Args:
        model: the trained model.
        history: (n, 3), the new cases of each day; only the last 38 days are used.
        days: number of days to predict.

    Returns:
        (days, 3) float32, whole numbers.

    Raises:
        DataError: when the history is not such an array, or has no day.
    """
    recent = np.asarray(history, np.float32)
    if recent.ndim != 2 or recent.shape[1] != UNITS or not len(recent):
        found = f"shape {recent.shape}"
        expected = "(days, 3): new confirmed, cured and dead of at least one day"
        raise DataError(explain("No forecast from this history", expected=expected, found=found))
    predicted = []
    for _ in range(days):
        predicted.append(np.floor(model.predict_on_batch(recent[None, -HISTORY:])))
        recent = np.concatenate([recent, predicted[-1]])
    return np.concatenate([np.zeros((0, UNITS), np.float32), *predicted])


def forecast_function(model: keras.Model, days: int = DAYS) -> Any:
    """Return the same for a batch of histories, as a graph: `window` → `days` (None, days, 3)."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, UNITS), name="window")])
    def roll(window: Any) -> dict[str, Any]:
        recent = window[:, -HISTORY:]
        predicted = tf.TensorArray(tf.float32, days, element_shape=(None, UNITS))
        for day in tf.range(days):
            tf.autograph.experimental.set_loop_options(
                shape_invariants=[(recent, tf.TensorShape((None, None, UNITS)))]
            )
            next_day = tf.floor(model(recent))
            predicted = predicted.write(day, next_day)
            recent = tf.concat([recent, next_day[:, None]], axis=1)[:, -HISTORY:]
        return {"days": tf.transpose(predicted.stack(), (1, 0, 2))}

    return roll


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/covid/<next version>` with both signatures, and return it."""
    signatures = {"serving_default": model, "forecast": forecast_function(model)}
    return export_model(
        model, base, name=NAME, fold=fold, signatures=signatures, sample={"window": SAMPLE}
    )
