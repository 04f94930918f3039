"""Predicts heart disease from nine columns; the preprocessing layers are in the model.

Input: `heart.csv` with the columns age, trestbps, chol, thalach, oldpeak, slope, ca, thal and
target (0 or 1); every fifth row is held out. Output: the model, exported to
`<base>/heart/<version>`, whose inputs are the raw columns, each (None,): whole numbers as int64,
`oldpeak` as float64, `thal` as string; the answer is `target`, the probability (None, 1) float32.

The age falls into 11 buckets and is crossed with `thal`. A `thal` other than fixed, normal and
reversible, an empty one too, counts as unknown, which is a category like these; a NaN in `oldpeak`
gives NaN.

Invariant: all preprocessing is in the graph, so a table can be scored without preparation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from models.export import export as export_model
from models.reading.columns import Category, Numbers, check_columns, check_two_classes
from models.reading.synthetic import synthetic_folder
from models.reading.tables import read_table
from models.refusal import DataError
from tfspark.errors import explain

__all__ = [
    "INPUTS",
    "NAME",
    "Patients",
    "build",
    "dataset",
    "evaluate",
    "export",
    "train",
    "write_data",
]

NAME = "heart"
FILE = "heart.csv"
TARGET = "target"
# The types Spark infers from CSV feed these without narrowing: int widens, double stays.
INPUTS = {
    "age": "int64",
    "trestbps": "int64",
    "chol": "int64",
    "thalach": "int64",
    "oldpeak": "float64",
    "slope": "int64",
    "ca": "int64",
    "thal": "string",
}
NUMBERS = tuple(name for name, dtype in INPUTS.items() if dtype != "string")
THAL = ("fixed", "normal", "reversible")
AGES = (18, 25, 30, 35, 40, 45, 50, 55, 60, 65)
CROSSED = 1_000
PARTS = 5
"""The rows are divided into this many parts, and one part is held out."""
SAMPLE = {
    "age": [63, 67, 37, 17],
    "trestbps": [145, 160, 130, 110],
    "chol": [233, 286, 250, 180],
    "thalach": [150, 108, 187, 200],
    "oldpeak": [2.3, 1.5, 3.5, 0.0],
    "slope": [3, 2, 3, 1],
    "ca": [0, 3, 0, 0],
    "thal": ["fixed", "normal", "reversible", ""],
}


Array = np.ndarray[Any, Any]


class Patients(NamedTuple):
    """Training and test patients, read from the file on demand.

    Attributes:
        train: a `tf.data.Dataset` of ({column: (n,)}, target (n, 1)), 32 rows per batch, shuffled.
        test: the held-out fifth in the same form, in the order of the file.
    """

    train: Any
    test: Any


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write `heart.csv` with 1 200 synthetic patients to a folder and return the folder.

    Half of them are ill; `thal`, `ca`, `oldpeak`, `thalach` and the age depend on it, with noise.
    """
    rng, rows = np.random.default_rng(seed), 1_200
    ill = rng.permutation(np.arange(rows) % 2)
    thal = [rng.choice(THAL, p=[0.1, 0.2, 0.7] if one else [0.05, 0.85, 0.1]) for one in ill]
    table = pd.DataFrame(
        {
            "age": np.clip(rng.normal(52 + 6 * ill, 9), 20, 80).astype(int),
            "trestbps": np.clip(rng.normal(129 + 5 * ill, 17), 90, 200).astype(int),
            "chol": np.clip(rng.normal(243 + 8 * ill, 50), 120, 560).astype(int),
            "thalach": np.clip(rng.normal(159 - 20 * ill, 20), 70, 202).astype(int),
            "oldpeak": np.round(np.abs(rng.normal(0.6 + 1.0 * ill, 0.9)), 1),
            "slope": rng.choice([1, 2, 3], rows, p=[0.47, 0.46, 0.07]),
            "ca": np.minimum(rng.poisson(0.3 + 0.9 * ill), 3),
            "thal": thal,
            TARGET: ill,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / FILE, index=False)
    return folder


def dataset(seed: int = 0, folder: Path | None = None) -> Patients:
    """Read the patients of a folder, or synthetic ones.

    Args:
        seed: decides the synthetic patients, the held-out fifth and the order of training.
        folder: holds `heart.csv`, which must stay there while the data are used.

    Raises:
        InputNotFoundError: when there is no such file.
        DataError: when a column is missing, or contains invalid values.
    """
    file = (folder or synthetic_folder(write_data, seed)) / FILE
    table = read_table(file, [*INPUTS, TARGET])
    rules = {name: Numbers(whole=INPUTS[name] == "int64") for name in NUMBERS}
    check_columns(file, table, {**rules, TARGET: Category((0, 1))})
    held_out = np.arange(len(table)) % PARTS == seed % PARTS
    check_two_classes(f"The training part of {file}", table[TARGET][~held_out])
    check_two_classes(f"The held-out fifth of {file}", table[TARGET][held_out])

    rows = _rows(file)
    _check_count(file, rows, len(table))
    train, test = (_part(rows, mask) for mask in (~held_out, held_out))
    shuffled = train.shuffle(1_024, seed=seed)
    return Patients(*(part.batch(32).prefetch(tf.data.AUTOTUNE) for part in (shuffled, test)))


def _part(rows: Any, mask: Array) -> Any:
    """Return the rows that a mask selects, and their number."""
    wanted = tf.constant(mask)
    kept = rows.enumerate().filter(lambda number, _: wanted[number]).map(lambda _, row: row)
    return kept.apply(tf.data.experimental.assert_cardinality(int(mask.sum())))


def _rows(file: Path) -> Any:
    """Return the rows as a `tf.data.Dataset` of ({column: value}, target), unbatched."""
    header = [str(name) for name in pd.read_csv(file, nrows=0).columns]
    columns = sorted([*INPUTS, TARGET], key=header.index)
    # A number without a default is required; whole numbers may be written as 3.0.
    defaults = [[""] if name == "thal" else tf.float64 for name in columns]
    places = [header.index(name) for name in columns]
    lines = tf.data.experimental.CsvDataset(str(file), defaults, header=True, select_cols=places)

    def named(*values: Any) -> tuple[dict[str, Any], Any]:
        row = dict(zip(columns, values, strict=True))
        inputs = {name: tf.cast(row[name], INPUTS[name]) for name in NUMBERS}
        return {**inputs, "thal": row["thal"]}, tf.reshape(tf.cast(row[TARGET], tf.float32), [1])

    return lines.map(named)


def _check_count(file: Path, rows: Any, expected: int) -> None:
    """Read all rows once, because TensorFlow's CSV reader is stricter than pandas."""
    hint = "write it again as plain CSV, without empty lines"
    try:
        found = str(int(rows.reduce(np.int64(0), lambda count, _: count + 1)))
    except tf.errors.InvalidArgumentError as exc:
        found = str(exc.message)
    if found != str(expected):
        problem = f"TensorFlow cannot read {file} as CSV"
        raise DataError(explain(problem, expected=f"{expected} rows", found=found, hint=hint))


def build(seed: int = 0) -> keras.Model:
    """Return the network on raw columns, compiled; seeds Keras, NumPy and TensorFlow.

    Seven numbers, 11 age buckets, `thal` as one of 4 and as 8 learned numbers, and age bucket ×
    `thal` as one of 1 000, then dense 128-128-1.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    inputs = {name: keras.Input((), name=name, dtype=dtype) for name, dtype in INPUTS.items()}
    numbers = [keras.ops.cast(inputs[name], "float32") for name in NUMBERS]
    bucket = layers.Discretization(list(AGES), name="age_bucket")(inputs["age"])
    thal = layers.StringLookup(vocabulary=list(THAL), name="thal_index")(inputs["thal"])
    crossing = layers.HashedCrossing(CROSSED, output_mode="one_hot", name="age_x_thal")
    joined = layers.Concatenate(name="prepared")(
        [
            keras.ops.stack(numbers, axis=-1),
            layers.CategoryEncoding(len(AGES) + 1, output_mode="one_hot", name="ages")(bucket),
            layers.CategoryEncoding(len(THAL) + 1, output_mode="one_hot", name="thals")(thal),
            layers.Embedding(len(THAL) + 1, 8, name="thal_embedding")(thal),
            crossing((bucket, inputs["thal"])),
        ]
    )
    hidden = layers.Dense(128, "relu")(layers.Dense(128, "relu")(joined))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid", name=TARGET)(hidden), name=NAME)
    metrics = ["accuracy", keras.metrics.AUC(name="auc")]
    model.compile("adam", "binary_crossentropy", metrics=metrics)
    return model


def train(
    model: keras.Model, data: Patients, *, seed: int = 0, epochs: int = 5
) -> dict[str, list[float]]:
    """Fit `model` in place; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    history: dict[str, list[float]] = model.fit(
        data.train, epochs=epochs, shuffle=False, verbose=0
    ).history
    return history


def evaluate(model: keras.Model, data: Patients) -> dict[str, float]:
    """Return `auc`, `accuracy` and `loss` (mean cross-entropy) on the held-out patients."""
    found = model.evaluate(data.test, verbose=0, return_dict=True)
    return {name: float(found[name]) for name in ("auc", "accuracy", "loss")}


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/heart/<next version>` and return it."""
    return export_model(model, base, name=NAME, fold=fold, sample=SAMPLE)
