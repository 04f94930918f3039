"""Sparse and ragged tensors beside dense ones, and types that Spark has no column for."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, save_graph, save_module, v1


def sparse_output(path: Path) -> None:
    """The positions where a vector is not zero, and its sum."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, 3), "x")
        return {"x": x}, {"nonzero": tf.sparse.from_dense(x), "sum": tf.reduce_sum(x, 1)}

    save_graph(path, build)


def sparse_input(path: Path) -> None:
    """A sparse matrix beside a column."""

    def build() -> Ends:
        x, s = v1.placeholder(tf.float32, (None,), "x"), v1.sparse_placeholder(tf.float32, name="s")
        return {"x": x, "s": s}, {"y": tf.ensure_shape(x + tf.sparse.reduce_sum(s), (None,))}

    save_graph(path, build)


def ragged_output(path: Path) -> None:
    """The words of a text, and their number."""

    def serve(text: tf.Tensor) -> dict[str, object]:
        words = tf.strings.split(text)
        return {"words": words, "count": words.row_lengths()}

    save_module(path, serve, tf.TensorSpec((None,), tf.string, "text"))


def types_without_column(path: Path) -> None:
    """Outputs of which only one can be a column."""
    save_module(
        path,
        lambda x: {
            "good": x + 1,
            "complex": tf.complex(x, x),
            "total": tf.reduce_sum(x),
            "large": tf.cast(x, tf.complex128),
        },
        tf.TensorSpec((None,), tf.float32, "x"),
    )


TRIPLES = rows(x=vectors([0, 1, 2], None, [0, 0, 0]))
WORDS = rows(text=["a b c", "", None, "d"])
NUMBERS = rows(x=floats(1, 2, None))

CASES = (
    Case(sparse_output, TRIPLES, "left out", fetch={"sum": "sum"}),
    Case(sparse_output, TRIPLES, "refused", refused="output nonzero: composite.*fetch"),
    Case(sparse_input, NUMBERS, by_call=False, refused="input s: composite"),
    Case(ragged_output, WORDS, "left out", fetch={"count": "count"}),
    Case(ragged_output, WORDS, "refused", refused="output words: composite.*fetch"),
    Case(types_without_column, NUMBERS, "left out", fetch={"good": "good"}),
    Case(
        types_without_column,
        NUMBERS,
        "refused",
        refused="3 mismatches.*complex64.*complex128.*float32 ()",
    ),
)
