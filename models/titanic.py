"""A small dense network that predicts who survived the Titanic, from 15 features.

Input: `train.csv` and `test.csv` with the columns of the Titanic data, both with `Survived`; or
`train.csv` or `titanic.csv` alone, of which a fifth is held out. Output: the model, exported to
`<base>/titanic/<version>` with two signatures that both return `survived`, the probability:
`serving_default` takes `features` (None, 15) float32, `raw` the columns of the file.

The features, in this order: Pclass 1, 2, 3 · Sex female, male · Age · Age missing · SibSp · Parch ·
Fare · Cabin missing · Embarked S, C, Q, missing. A missing Age or Fare counts as 0; a missing value
is NaN or an empty string. For an unknown value, such as a fourth class, all features of the column
are 0.

Invariant: `features` and the graph of `raw` compute the same numbers from the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from models.export import export as export_model
from models.reading.passengers import (
    COLUMNS,
    PORTS,
    RANKS,
    SEXES,
    TARGET,
    read_passengers,
    write_passengers,
)
from models.reading.synthetic import synthetic_folder

__all__ = [
    "FEATURES",
    "NAME",
    "RAW",
    "Passengers",
    "build",
    "dataset",
    "evaluate",
    "export",
    "features",
    "raw_columns",
    "raw_features",
    "train",
    "write_data",
]

NAME = "titanic"
FEATURES = (
    *(f"Pclass_{value}" for value in RANKS),
    *(f"Sex_{value}" for value in SEXES),
    *("Age", "Age_null", "SibSp", "Parch", "Fare", "Cabin_null"),
    *(f"Embarked_{value}" for value in PORTS),
    "Embarked_null",
)
# The types Spark infers from CSV feed these without narrowing: int widens, double stays.
TYPES = (tf.int64, tf.string, tf.float64, tf.int64, tf.int64, tf.float64, tf.string, tf.string)
RAW: Mapping[str, Any] = dict(zip(COLUMNS, TYPES, strict=True))
SAMPLE = {
    "Pclass": [3, 1, 2, 1],
    "Sex": ["male", "female", "female", "male"],
    "Age": [22.0, 38.0, np.nan, 0.75],
    "SibSp": [1, 1, 0, 0],
    "Parch": [0, 0, 0, 2],
    "Fare": [7.25, 71.2833, 13.0, 151.55],
    "Cabin": ["", "C85", "", "C22 C26"],
    "Embarked": ["S", "C", "Q", ""],
}

Array = np.ndarray[Any, Any]


class Passengers(NamedTuple):
    """Training and test passengers.

    Attributes:
        x: (n, 15) float32, the features.
        y: (n, 1) float32, 1 for a survivor.
        test_x: the features of other passengers.
        test_y: 1 for a survivor.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def dataset(seed: int = 0, folder: Path | None = None) -> Passengers:
    """Read the passengers of a folder, or synthetic ones.

    Args:
        seed: decides the synthetic passengers, and the held-out rows when there is only one file.
        folder: holds `train.csv` and `test.csv`, or one of `train.csv` and `titanic.csv`.

    Raises:
        InputNotFoundError: when there is no such file.
        DataError: when a column is missing, or contains invalid values.
    """
    train, test = read_passengers(folder or synthetic_folder(write_data, seed), seed)
    return Passengers(features(train), _target(train), features(test), _target(test))


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write `train.csv` and `test.csv` with synthetic passengers to a folder, and return it."""
    return write_passengers(folder, seed)


def _target(table: pd.DataFrame) -> Array:
    return table[[TARGET]].to_numpy("float32")


def features(frame: pd.DataFrame) -> Array:
    """Return the 15 features of passengers, (n, 15) float32, in the order of `FEATURES`.

    Args:
        frame: has the columns of `RAW`; missing is NaN, None or an empty string.
    """
    age, fare = (frame[name].astype("float64") for name in ("Age", "Fare"))
    cabin, port = _text(frame["Cabin"]), _text(frame["Embarked"])
    columns = [
        *(frame["Pclass"] == value for value in RANKS),
        *(frame["Sex"] == value for value in SEXES),
        *(age.fillna(0), age.isna(), frame["SibSp"], frame["Parch"], fare.fillna(0), cabin == ""),
        *(port == value for value in PORTS),
        port == "",
    ]
    return np.stack([np.asarray(column, "float32") for column in columns], axis=1)


def raw_columns(frame: pd.DataFrame) -> dict[str, Array]:
    """Return the columns of passengers for the signature `raw`, each (n,)."""
    return {
        name: _text(frame[name])
        if dtype == tf.string
        else frame[name].to_numpy(dtype.as_numpy_dtype)
        for name, dtype in RAW.items()
    }


def _text(column: pd.Series[Any]) -> Array:
    return np.array(["" if pd.isna(value) else str(value) for value in column], object)


def raw_features(columns: Mapping[str, Any]) -> Any:
    """Compute the same as `features`, in the graph.

    Args:
        columns: a tensor (None,) for each column of `RAW`, of its type.

    Returns:
        (None, 15) float32.
    """

    def number(name: str) -> Any:
        value = tf.cast(columns[name], tf.float32)
        return tf.where(tf.math.is_nan(value), 0.0, value)

    parts = [
        *(columns["Pclass"] == value for value in RANKS),
        *(columns["Sex"] == value for value in SEXES),
        *(number("Age"), tf.math.is_nan(columns["Age"]), number("SibSp"), number("Parch")),
        *(number("Fare"), columns["Cabin"] == ""),
        *(columns["Embarked"] == value for value in PORTS),
        columns["Embarked"] == "",
    ]
    return tf.stack([tf.cast(part, tf.float32) for part in parts], axis=1)


def build(seed: int = 0) -> keras.Model:
    """Return the network 15-20-10-1 (541 parameters), compiled; seeds Keras, NumPy, TensorFlow."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((len(FEATURES),), name="features"),
            keras.layers.Dense(20, "relu"),
            keras.layers.Dense(10, "relu"),
            keras.layers.Dense(1, "sigmoid", name="survived"),
        ],
        name=NAME,
    )
    metrics = ["accuracy", keras.metrics.AUC(name="auc")]
    model.compile("adam", "binary_crossentropy", metrics=metrics)
    return model


def train(
    model: keras.Model, data: Passengers, *, seed: int = 0, epochs: int = 30
) -> dict[str, list[float]]:
    """Fit `model` in place, 64 passengers per step, and validate it on a fifth of the data.

    Returns:
        `loss`, `accuracy` and `auc`, and the same for the validation data as `val_…`.
    """
    keras.utils.set_random_seed(seed)
    history: dict[str, list[float]] = model.fit(
        data.x, data.y, batch_size=64, epochs=epochs, validation_split=0.2, verbose=0
    ).history
    return history


def evaluate(model: keras.Model, data: Passengers) -> dict[str, float]:
    """Return `auc`, `accuracy` and `loss` (mean cross-entropy) on the held-out passengers."""
    found = model.evaluate(data.test_x, data.test_y, batch_size=256, verbose=0, return_dict=True)
    return {name: float(found[name]) for name in ("auc", "accuracy", "loss")}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/titanic/<next version>` with both signatures and return it."""

    def raw(columns: Mapping[str, Any]) -> dict[str, Any]:
        return {"survived": model(raw_features(columns), training=False)}

    specs = {name: tf.TensorSpec((None,), dtype, name) for name, dtype in RAW.items()}
    from_raw = tf.function(raw, input_signature=[specs])
    rows = pd.DataFrame(SAMPLE)
    return export_model(
        model,
        base,
        name=NAME,
        fold=fold,
        signatures={"serving_default": model, "raw": from_raw},
        sample={"features": features(rows), **raw_columns(rows)},
    )
