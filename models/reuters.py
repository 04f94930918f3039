"""Classifies newswires into 46 topics with convolutions; trains in three ways.

Input: `reuters.npz` with the token lists `x` and the topics `y`; see `models.reading.newswires`
about the trust in this file. Output: a model with input `tokens` (None, None) int32, of any length,
and the outputs `probabilities` (None, 46) float32, `topic` (None,) int64 and `top_topics` (None, 5)
int64, the most probable one first, exported to `<base>/reuters/<version>`.

Invariant: the graph takes the unchanged token lists of the file. It cuts them after 300 tokens and
pads them with 0; a token outside its 10 000 words is the unknown word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export import export as export_model
from models.reading.newswires import TOPICS, Newswires, read_newswires, write_newswires
from models.reading.synthetic import synthetic_folder
from models.training.tape import train_by_tape

__all__ = [
    "NAME",
    "FixedLength",
    "MacroF1",
    "build",
    "dataset",
    "evaluate",
    "export",
    "serving",
    "train",
    "train_loop",
    "train_on_batch",
    "write_data",
]

NAME = "reuters"
WORDS = 10_000
"""Tokens: 0 the padding, then words by their rank; the last token is every unknown word."""
LENGTH = 300
BATCH = 100
EPOCHS = 10
SAMPLE = [[112, 1021, 9, 4, 370], [12_000, -1, 7, 0, 0], [0, 0, 0, 0, 0]]

Array = np.ndarray[Any, Any]
layers = keras.layers


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write 4 000 synthetic newswires in the layout of `--data`, and return the folder."""
    return write_newswires(folder, seed)


def dataset(seed: int = 0, folder: Path | None = None) -> Newswires:
    """Read the newswires of a folder; without a folder, synthetic ones, and hold out a fifth."""
    return read_newswires(folder or synthetic_folder(write_data, seed), seed)


class FixedLength(keras.layers.Layer):
    """Converts token lists of any length to (None, 300) tokens of the vocabulary."""

    def call(self, tokens: Any) -> Any:
        """Cut or pad the rows; an unknown token becomes the last token of the vocabulary."""
        first = tokens[:, :LENGTH]
        known = tf.where((first < 0) | (first >= WORDS), WORDS - 1, first)
        filled = tf.pad(known, [[0, 0], [0, LENGTH - tf.shape(known)[1]]])
        return tf.ensure_shape(filled, (None, LENGTH))


class MacroF1(keras.metrics.Metric):
    """Mean over the topics of F1, so that a rare topic counts as much as a frequent one.

    A topic that neither occurs nor is predicted does not count, as in scikit-learn.
    """

    def __init__(self, name: str = "f1") -> None:
        super().__init__(name=name)
        self.pairs = self.add_weight(shape=(TOPICS, TOPICS), initializer="zeros", name="pairs")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count (topic, predicted topic) of a batch of topics and probabilities."""
        topics = tf.cast(tf.reshape(y_true, [-1]), tf.int32)
        found = tf.argmax(y_pred, axis=-1, output_type=tf.int32)
        counts = tf.math.confusion_matrix(topics, found, TOPICS, sample_weight, tf.float32)
        self.pairs.assign_add(counts)

    def result(self) -> Any:
        """Return the mean; 0 before the first batch."""
        pairs = tf.convert_to_tensor(self.pairs)
        right = tf.linalg.diag_part(pairs)
        named = tf.reduce_sum(pairs, 0) + tf.reduce_sum(pairs, 1)
        counted = tf.math.count_nonzero(named, dtype=tf.float32)
        return tf.math.divide_no_nan(
            tf.reduce_sum(tf.math.divide_no_nan(2 * right, named)), counted
        )


def build(seed: int = 0) -> keras.Model:
    """Return the network (185 982 parameters), compiled; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="tokens"),
            FixedLength(),
            layers.Embedding(WORDS, 7),
            layers.Conv1D(64, 5, activation="relu"),
            layers.MaxPool1D(2),
            layers.Conv1D(32, 3, activation="relu"),
            layers.MaxPool1D(2),
            layers.Flatten(),
            layers.Dense(TOPICS, "softmax", name="probabilities"),
        ],
        name=NAME,
    )
    top = keras.metrics.SparseTopKCategoricalAccuracy(5, "top5")
    model.compile("nadam", "sparse_categorical_crossentropy", metrics=["accuracy", top, MacroF1()])
    return model


def train(
    model: keras.Model, data: Newswires, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, list[float]]:
    """Train in place by `fit`, 100 newswires per step; seeds Keras, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)
    batches = _batches(data.tokens, data.topics, seed)
    history: dict[str, list[float]] = model.fit(
        batches, epochs=epochs, shuffle=False, verbose=0
    ).history
    return history


def train_on_batch(
    model: keras.Model, data: Newswires, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, list[float]]:
    """Train as `train` does, with one call per batch, so that code can run between batches.

    Returns:
        The curves of `train`, as means over the batches, weighted by their sizes.
    """
    keras.utils.set_random_seed(seed)
    batches = _batches(data.tokens, data.topics, seed)
    curves: dict[str, list[float]] = {}
    for _ in range(epochs):
        sums: dict[str, float] = {}
        for tokens, topics in batches:
            model.reset_metrics()
            metrics = model.train_on_batch(tokens, topics, return_dict=True)
            for name, value in metrics.items():
                sums[name] = sums.get(name, 0.0) + len(topics) * float(value)
        for name, total in sums.items():
            curves.setdefault(name, []).append(total / len(data.topics))
    return curves


def train_loop(
    model: keras.Model, data: Newswires, *, seed: int = 0, epochs: int = EPOCHS
) -> dict[str, list[float]]:
    """Train as `train` does, with a custom loop; the curves are `loss` and `f1`."""
    keras.utils.set_random_seed(seed)
    return train_by_tape(
        model,
        _batches(data.tokens, data.topics, seed),
        optimizer=keras.optimizers.Nadam(),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metric=MacroF1(),
        epochs=epochs,
    )


def _batches(tokens: Array, topics: Array, seed: int | None = None) -> Any:
    """Stream the rows in a new order for each pass; each batch is as wide as its longest row."""
    lengths = [len(row) for row in tokens]
    rows = tf.RaggedTensor.from_row_lengths(
        np.concatenate([*tokens, np.empty(0, np.int32)]), lengths
    )
    numbers = tf.data.Dataset.range(len(lengths))
    if seed is not None:
        numbers = numbers.shuffle(len(lengths), seed=seed)
    pairs = numbers.map(lambda i: (rows[i], tf.gather(topics, i)))
    return pairs.padded_batch(BATCH, ([None], [])).prefetch(tf.data.AUTOTUNE)


def evaluate(model: keras.Model, data: Newswires) -> dict[str, float]:
    """Return `accuracy`, `top5`, `f1` and `loss` (mean cross-entropy) on the held-out fifth."""
    batches = _batches(data.test_tokens, data.test_topics)
    metrics = model.evaluate(batches, verbose=0, return_dict=True)
    return {name: metrics[name] for name in ("accuracy", "top5", "f1", "loss")}


def serving(model: keras.Model) -> keras.Model:
    """Add the most probable topic, and the five most probable topics, as outputs."""
    [probabilities] = model.outputs
    top = keras.ops.cast(keras.ops.top_k(probabilities, 5)[1], "int64")
    outputs = {"probabilities": probabilities, "topic": top[:, 0], "top_topics": top}
    return keras.Model(model.inputs, outputs, name=NAME)


def export(model: keras.Model, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/reuters/<next version>` with the outputs of `serving`, and return it."""
    return export_model(serving(model), base, name=NAME, fold=fold, sample={"tokens": SAMPLE})
