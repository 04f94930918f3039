"""Classifies film reviews with an embedding and convolutions; the words are in the graph.

Input: `train.tsv` and `test.tsv` (or `.csv`): label 0 or 1, a tab, the review, no header. Output: a
model with input `text` (None,) string and output `positive` (None, 1) float32, a probability,
exported to `<base>/imdb/<version>`.

A review is converted to lower case, without `<br />` and punctuation, and split at white space; the
10 000 most frequent words (9 999 and the padding) are known, and 200 of a review are read.

Invariants: text is cleaned and looked up by the exported graph; an unknown word is token 1, an
empty text all padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.export import export as export_model
from models.reading.records import read_records, write_records
from models.reading.reviews import Reviews, read_reviews, write_reviews
from models.reading.synthetic import synthetic_folder
from models.training.tape import train_by_tape

__all__ = [
    "NAME",
    "TextModel",
    "build",
    "build_functional",
    "build_sequential",
    "clean",
    "dataset",
    "evaluate",
    "export",
    "train",
    "train_by_fit",
    "write_data",
]

NAME = "imdb"
WORDS = 10_000
"""Tokens: 0 the padding, 1 every unknown word, then the words by falling frequency."""
LENGTH = 200
BATCH = 20
SAMPLE = ["A <br />truly GOOD film, and well played!", "Bad. Bad, bad...", "", "an unheard word"]

Array = np.ndarray[Any, Any]
layers = keras.layers


def write_data(folder: Path, seed: int = 0) -> Path:
    """Write 2 000 + 500 synthetic reviews in the layout of `--data`, and return the folder."""
    return write_reviews(folder, seed)


def dataset(seed: int = 0, folder: Path | None = None) -> Reviews:
    """Read the reviews of a folder; without a folder, synthetic ones."""
    return read_reviews(folder or synthetic_folder(write_data, seed))


def clean(text: Any) -> Any:
    """Convert a tensor of strings to lower case, without `<br />` and punctuation."""
    lower = tf.strings.lower(text, encoding="utf-8")
    plain = tf.strings.regex_replace(lower, r"<br\s*/?>", " ")
    return tf.strings.regex_replace(plain, r"[[:punct:]]", "")


class TextModel(keras.Model):
    """A network of tokens with a vocabulary: text → `positive`.

    Attributes:
        words: text → (None, 200) tokens; empty before `train`.
        network: tokens → (None, 1) probability; the trained part.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name=NAME)
        network(np.zeros((1, LENGTH), np.int32))  # creates the weights of a subclassed model
        network.compile(
            "nadam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")]
        )
        self.network = network
        self.words = layers.TextVectorization(
            WORDS, standardize=clean, output_sequence_length=LENGTH, name="words"
        )

    def call(self, text: Any) -> dict[str, Any]:
        """Answer a batch of texts."""
        return {"positive": self.network(self.words(text))}

    def tokens(self, text: Array) -> Array:
        """Return the tokens of texts, (n, 200) int32."""
        return np.asarray(self.words(tf.constant(text, tf.string)), np.int32)


class Convolutions(keras.Model):
    """Two convolutions over the embedded words, as a subclass of `keras.Model`."""

    def __init__(self) -> None:
        super().__init__(name="convolutions")
        self.embedding = layers.Embedding(WORDS, 7)
        self.narrow = layers.Conv1D(16, 5, activation="relu")
        self.wide = layers.Conv1D(128, 2, activation="relu")
        self.pool = layers.MaxPool1D()
        self.flat = layers.Flatten()
        self.positive = layers.Dense(1, "sigmoid")

    def call(self, tokens: Any) -> Any:
        """Answer a batch of tokens."""
        x = self.pool(self.narrow(self.embedding(tokens)))
        return self.positive(self.flat(self.pool(self.wide(x))))


def build(seed: int = 0) -> TextModel:
    """Return the convolutions as a subclass (80 945 parameters); seeds all generators."""
    keras.utils.set_random_seed(seed)
    return TextModel(Convolutions())


def build_sequential(seed: int = 0) -> TextModel:
    """Return the same convolutions as a stack of layers; seeds all generators."""
    keras.utils.set_random_seed(seed)
    stack = [
        keras.Input((LENGTH,), dtype="int32"),
        layers.Embedding(WORDS, 7),
        layers.Conv1D(16, 5, activation="relu"),
        layers.MaxPool1D(),
        layers.Conv1D(128, 2, activation="relu"),
        layers.MaxPool1D(),
        layers.Flatten(),
        layers.Dense(1, "sigmoid"),
    ]
    return TextModel(keras.Sequential(stack))


def build_functional(seed: int = 0) -> TextModel:
    """Return three branches of separable convolutions (78 938 parameters); seeds all generators."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((LENGTH,), dtype="int32")
    embedded = layers.Embedding(WORDS, 7)(tokens)
    branches = []
    for size in (3, 5, 7):
        x = layers.SeparableConv1D(64, size, activation="relu")(embedded)
        x = layers.SeparableConv1D(32, size, activation="relu")(layers.MaxPool1D(size)(x))
        branches.append(layers.GlobalMaxPool1D()(x))
    positive = layers.Dense(1, "sigmoid")(layers.Concatenate()(branches))
    return TextModel(keras.Model(tokens, positive))


def train(
    model: TextModel, data: Reviews, *, seed: int = 0, epochs: int = 6
) -> dict[str, list[float]]:
    """Build the vocabulary, then train with a custom loop, 20 reviews per step.

    Returns:
        `loss`, `accuracy`, and both on the test file as `val_loss`, `val_accuracy`.
    """
    keras.utils.set_random_seed(seed)
    with _batches(model, data, seed) as (batches, held_out):
        return train_by_tape(
            model.network,
            batches,
            optimizer=keras.optimizers.Nadam(),
            loss=keras.losses.BinaryCrossentropy(),
            metric=keras.metrics.BinaryAccuracy("accuracy"),
            epochs=epochs,
            held_out=held_out,
        )


def train_by_fit(
    model: TextModel, data: Reviews, *, seed: int = 0, epochs: int = 6
) -> dict[str, list[float]]:
    """Train as `train` does, by `fit`, with `auc` and `val_auc` as well."""
    keras.utils.set_random_seed(seed)
    with _batches(model, data, seed) as (batches, held_out):
        history: dict[str, list[float]] = model.network.fit(
            batches, epochs=epochs, validation_data=held_out, shuffle=False, verbose=0
        ).history
        return history


@contextmanager
def _batches(model: TextModel, data: Reviews, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield both parts as streams of TFRecords, which exist during the training."""
    model.words.adapt(tf.constant(data.text, tf.string))
    with TemporaryDirectory() as folder:
        parts: list[Path] = []
        for text, positive in (data[:2], data[2:]):
            rows = [np.trim_zeros(row, "b") for row in model.tokens(text)]
            parts.append(write_records(Path(folder) / f"{len(parts)}.tfrecord", rows, positive))
        yield (
            read_records(parts[0], rows=len(data.text), width=LENGTH, batch_size=BATCH, seed=seed),
            read_records(parts[1], rows=len(data.test_text), width=LENGTH, batch_size=500),
        )


def evaluate(model: TextModel, data: Reviews) -> dict[str, float]:
    """Return `accuracy`, `auc` and `loss` (mean cross-entropy) on the test file."""
    metrics = model.network.evaluate(
        model.tokens(data.test_text), data.test_positive, 500, verbose=0, return_dict=True
    )
    return {name: metrics[name] for name in ("accuracy", "auc", "loss")}


def export(model: TextModel, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/imdb/<next version>`, which takes raw text, and return it."""
    text = tf.TensorSpec((None,), tf.string, "text")
    return export_model(model, base, name=NAME, fold=fold, inputs=text, sample={"text": SAMPLE})
