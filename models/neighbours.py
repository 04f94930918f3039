"""Finds the known vectors that are nearest to a query, with `tf.math.top_k` and no training.

The known vectors are drawn from a seed, or passed to `Neighbours(vectors, k)`. The model is a
`tf.Module`, exported to `<base>/neighbours/<version>`. It takes `query` (None, d) float32 and
returns `ids` (None, k) int64, the indices of known vectors by increasing distance, and `distances`
(None, k) float32.

The distances are exact and computed in float64. Of equal distances, the smaller id comes first. The
memory is the batch size times the number of known vectors times d.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from models.export import export as export_model
from models.refusal import DataError
from tfspark.errors import explain

__all__ = [
    "NAME",
    "Neighbours",
    "Vectors",
    "build",
    "dataset",
    "evaluate",
    "export",
    "train",
]

NAME = "neighbours"
ROWS = 1000
SIZE = 8
NEAREST = 5

Array = np.ndarray[Any, Any]


class Vectors(NamedTuple):
    """Vectors to search among and vectors to search for.

    Attributes:
        known: (1000, 8) float32, normal.
        queries: (100, 8) float32, normal.
    """

    known: Array
    queries: Array


def dataset(seed: int = 0) -> Vectors:
    """Draw the vectors."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(ROWS + 100, SIZE)).astype(np.float32)
    return Vectors(drawn[:ROWS], drawn[ROWS:])


class Neighbours(tf.Module):
    """The known vectors, and the search as a graph.

    Args:
        vectors: (n, d), any numbers.
        k: number of neighbours, from 1 to n.

    Raises:
        DataError: when the vectors are not a matrix, or fewer than k.
    """

    def __init__(self, vectors: Array, k: int = NEAREST) -> None:
        super().__init__(name=NAME)
        shape = np.shape(vectors)
        if len(shape) != 2 or not 1 <= k <= shape[0]:
            expected, found = "(n, d) numbers and k from 1 to n", f"shape {shape} and k = {k}"
            raise DataError(
                explain("Neighbours cannot use these vectors", expected=expected, found=found)
            )
        self.known = tf.Variable(vectors, trainable=False, dtype=tf.float32, name="known")
        self.k = k
        query = tf.TensorSpec((None, shape[1]), tf.float32, "query")
        self.search = tf.function(self._search, input_signature=[query])

    def _search(self, query: Any) -> dict[str, Any]:
        known, asked = tf.cast(self.known, tf.float64), tf.cast(query, tf.float64)
        distances = tf.norm(asked[:, None] - known, axis=-1)
        nearest, ids = tf.math.top_k(-distances, self.k)
        return {"ids": tf.cast(ids, tf.int64), "distances": tf.cast(-nearest, tf.float32)}


def build(seed: int = 0) -> Neighbours:
    """Return the search among the known vectors of `dataset(seed)`, for the 5 nearest."""
    return Neighbours(dataset(seed).known)


def train(
    model: Neighbours,  # noqa: ARG001 - there is nothing to train
    data: Vectors,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    epochs: int = 1,  # noqa: ARG001
) -> dict[str, list[float]]:
    """Do nothing; the arguments are those of every `train`, and there are no curves."""
    return {}


def evaluate(model: Neighbours, data: Vectors) -> dict[str, float]:
    """Compare with NumPy: `exact`, the share of queries with its ids, and the distances' `gap`."""
    known = model.known.numpy().astype(np.float64)
    distances = np.sqrt(((data.queries[:, None].astype(np.float64) - known) ** 2).sum(axis=-1))
    ids = np.argsort(distances, axis=1, kind="stable")[:, : model.k]
    found = model.search(data.queries)
    gap = np.abs(found["distances"].numpy() - np.take_along_axis(distances, ids, axis=1)).max()
    exact = (found["ids"].numpy() == ids).all(axis=1).mean()
    return {"exact": float(exact), "gap": float(gap)}


def export(model: Neighbours, base: Path, *, fold: bool = False) -> Path:
    """Write `<base>/neighbours/<next version>` and return it."""
    sample = {"query": model.known.numpy()[:2]}
    return export_model(
        model,
        base,
        name=NAME,
        fold=fold,
        signatures={"serving_default": model.search},
        sample=sample,
    )
