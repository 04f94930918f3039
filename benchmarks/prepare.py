"""Creates the models and the rows of a case, equal on every machine, and TensorFlow's answers.

Run as a separate process (`python -m benchmarks.prepare DATA case:rows …`), because it imports
TensorFlow and Keras and the benchmark must not. Existing data are not changed; a folder appears
completely, by a rename.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from keras import layers

from benchmarks.cases import BY_NAME, FILES, ROW_GROUPS, Case
from benchmarks.reference import answers_of
from models.export import export

WORDS = 200
VOCABULARY = [f"word{number}" for number in range(9998)]


def model_of(case: Case) -> Any:
    """Build a model; all weights are random with one seed, or set by hand."""
    keras.utils.set_random_seed(0)
    if case.name in _LARGE:
        return _LARGE[case.name](case)
    if case.name == "text":
        words = layers.TextVectorization(output_sequence_length=WORDS)
        words.set_vocabulary(VOCABULARY)
        return keras.Sequential([keras.Input((), dtype="string", name="inputs"), words, *_text()])
    inner = {"linear": [], "mlp": _mlp(), "cifar2": _cifar2(), "lstm": [layers.LSTM(32)]}
    inner["wide"] = [layers.Dense(64, activation="relu")]
    last = layers.Dense(1, None if case.name == "linear" else "sigmoid", name="outputs")
    model = keras.Sequential([keras.Input(case.shape, name="inputs"), *inner[case.name], last])
    if case.name == "linear":
        model.set_weights([np.array([[2.0], [-1.0]]), np.array([3.0])])
    return model


def _mlp() -> list[Any]:
    return [layers.Dense(20, activation="relu"), layers.Dense(10, activation="relu")]


def _cifar2() -> list[Any]:
    return [
        layers.Conv2D(32, 3),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 5),
        layers.MaxPooling2D(),
        layers.Dropout(0.1),
        layers.Flatten(),
        layers.Dense(32, activation="relu"),
    ]


def _text() -> list[Any]:
    return [
        layers.Embedding(len(VOCABULARY) + 2, 7),
        layers.Conv1D(16, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(128, 2, activation="relu"),
        layers.MaxPooling1D(),
        layers.Flatten(),
        layers.Dense(1, activation="sigmoid", name="outputs"),
    ]


def _image_model(case: Case, application: Callable[..., Any], stddev: float) -> Any:
    inputs = keras.Input(case.shape, name="inputs")
    features = application(
        input_tensor=inputs, weights=None, include_top=False, pooling="avg"
    ).output
    # With larger weights, the probabilities would multiply rounding errors of all layers.
    small = keras.initializers.RandomNormal(stddev=stddev)
    last = layers.Dense(case.width, "softmax", kernel_initializer=small, name="outputs")
    model = keras.Model(inputs, last(features))
    _normalize(model, case.shape)
    return model


def _normalize(model: Any, shape: tuple[int, ...]) -> None:
    """Give batch normalizations the statistics of random rows.

    With the statistics of a new model, values shrink from layer to layer, and all rows get the same
    answer.
    """
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics of the next call replace the old ones
    rows = np.random.default_rng(0).standard_normal((16, *shape), dtype=np.float32)
    model(rows, training=True)


def _encoder(case: Case) -> Any:
    """Four layers of self-attention and two dense layers each, with residuals; no dropout."""
    inputs = keras.Input(case.shape, dtype="int32", name="inputs")
    values = layers.Embedding(case.vocabulary, 256)(inputs)
    for _ in range(4):
        attended = layers.MultiHeadAttention(num_heads=4, key_dim=64)(values, values)
        values = layers.LayerNormalization()(values + attended)
        hidden = layers.Dense(1024, activation="gelu")(values)
        values = layers.LayerNormalization()(values + layers.Dense(256)(hidden))
    pooled = layers.GlobalAveragePooling1D()(values)
    outputs = layers.Dense(case.width, activation="softmax", name="outputs")(pooled)
    return keras.Model(inputs, outputs)


_LARGE: dict[str, Callable[[Case], Any]] = {
    "mobilenet": lambda case: _image_model(case, keras.applications.MobileNetV2, 0.005),
    "resnet": lambda case: _image_model(case, keras.applications.ResNet50, 0.002),
    "encoder": _encoder,
}


def tables(case: Case) -> Iterator[pa.Table]:
    """Draw the rows of each file."""
    random = np.random.default_rng(0)
    for rows in np.diff(np.linspace(0, case.rows, FILES + 1).astype(int)).tolist():
        if case.strings:
            picked = random.integers(0, len(VOCABULARY), (rows, WORDS))
            texts = [" ".join(VOCABULARY[word] for word in line) for line in picked.tolist()]
            yield pa.table({case.columns[0]: pa.array(texts)})
            continue
        values = _drawn(case, rows, random)
        if len(case.columns) > 1:
            yield pa.table({name: values[:, at] for at, name in enumerate(case.columns)})
        else:
            yield pa.table({case.columns[0]: _lists(values, case.shape if case.nested else (-1,))})


def _drawn(case: Case, rows: int, random: np.random.Generator) -> Any:
    shape = (rows, *case.shape)
    if case.vocabulary:
        return random.integers(0, case.vocabulary, shape, dtype=np.int32)
    return random.standard_normal(shape, dtype=np.float32)


def _lists(values: Any, shape: tuple[int, ...]) -> Any:
    """Return rows as lists, nested like the shape."""
    array = pa.array(values.ravel())
    rows = values.reshape(len(values), *shape)
    for axis in range(rows.ndim - 1, 0, -1):
        lists = int(np.prod(rows.shape[:axis]))
        offsets = np.arange(lists + 1, dtype=np.int32) * rows.shape[axis]
        array = pa.ListArray.from_arrays(pa.array(offsets), array)
    return array


def answers(case: Case, model: Path, table: pa.Table) -> Any:
    """Return the answers of `tf.saved_model.load` for the rows of one file."""
    loaded = tf.saved_model.load(str(model))
    call = loaded.signatures["serving_default"]
    results = []
    for start in range(0, len(table), case.batches[-1]):
        part = table.slice(start, case.batches[-1]).combine_chunks()
        results.append(call(inputs=tf.constant(_fed(case, part)))["outputs"].numpy())
    return np.concatenate(results)


def _fed(case: Case, table: pa.Table) -> Any:
    if case.strings:
        return np.array(table[0].to_pylist(), dtype=object)
    columns = [column.combine_chunks() for column in table.columns]
    if len(columns) > 1:
        return np.stack([column.to_numpy() for column in columns], axis=1)
    values = columns[0]
    while pa.types.is_list(values.type):
        values = values.flatten()
    return values.to_numpy().reshape(-1, *case.shape)


def prepare(case: Case, data: Path) -> None:
    """Create the model and the rows of a case, if missing."""
    base = data / "models" / case.name
    if not (base / "1").is_dir():
        model = model_of(case)
        keras_file = data / "keras" / f"{case.name}.keras"
        keras_file.parent.mkdir(parents=True, exist_ok=True)
        model.save(keras_file)  # for mlflow, whose flavour contains a Keras model
        export(model, data / "models", name=case.name)
    folder = case.folder(data)
    if folder.is_dir():
        return
    aside = folder.with_name(f".{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    results = []
    for number, table in enumerate(tables(case)):
        group = -(-len(table) // ROW_GROUPS)
        pq.write_table(table, aside / f"part-{number:03d}.parquet", row_group_size=group)
        results.append(answers(case, base / "1", table))
    np.save(answers_of(str(folder)), np.concatenate(results))
    aside.rename(folder)


def main() -> None:
    """Prepare the cases on the command line."""
    data = Path(sys.argv[1])
    for wanted in sys.argv[2:]:
        name, _, rows = wanted.partition(":")
        prepare(BY_NAME[name].at(int(rows)), data)


if __name__ == "__main__":
    main()
