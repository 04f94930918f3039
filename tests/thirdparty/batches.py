"""Models with special batches: fixed sizes, rows that affect each other, one row at a time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, free_rows, save_graph, save_module, v1


def fixed_rows(path: Path) -> None:
    """Two rows at a time, independent of each other."""
    save_module(path, lambda x: {"y": x * x}, tf.TensorSpec((2,), tf.float32, "x"))


def neighbours(path: Path) -> None:
    """Two rows at a time; each result depends on the other row."""
    save_module(
        path, lambda x: {"y": x - 10 * tf.reverse(x, [0])}, tf.TensorSpec((2,), tf.float32, "x")
    )


def labels(path: Path) -> None:
    """Three labels, whatever the number of rows."""
    save_module(
        path,
        lambda x: {"labels": tf.constant(["a", "b", "c"]), "scores": tf.nn.softmax(x)},
        tf.TensorSpec((None, 3), tf.float32, "x"),
    )


def labels_of_fixed_rows(path: Path) -> None:
    """Three labels of two rows."""
    save_module(
        path,
        lambda x: {"labels": tf.constant(["a", "b", "c"]), "scores": tf.nn.softmax(x)},
        tf.TensorSpec((2, 3), tf.float32, "x"),
    )


def running_sum(path: Path) -> None:
    """Each row and all before it in its batch."""
    save_module(path, lambda x: {"y": tf.cumsum(x)}, tf.TensorSpec((None,), tf.float32, "x"))


def _one(shape: list[int]) -> Ends:
    x = v1.placeholder(tf.float32, (None, 4), "x")
    return {"x": x}, {"y": tf.reshape(x, shape) * 2}


def one_row(path: Path) -> None:
    """Takes only a batch of one row; its signature does not say so."""
    save_graph(path, lambda: _one([1, 4]), free_rows)


def one_row_out(path: Path) -> None:
    """Takes any batch, according to its signature, and returns one row."""
    save_graph(path, lambda: _one([1, 4]))


def open_dimensions(path: Path) -> None:
    """Rows of any height and width."""
    save_module(
        path,
        lambda x: {"transposed": tf.transpose(x, (0, 2, 1)), "total": tf.reduce_sum(x, (1, 2))},
        tf.TensorSpec((None, None, None), tf.float32, "x"),
    )


def fewer_rows(path: Path) -> None:
    """Returns only the rows above zero."""
    save_module(
        path, lambda x: {"y": tf.boolean_mask(x, x > 0)}, tf.TensorSpec((None,), tf.float32, "x")
    )


def row_shapes(path: Path) -> None:
    """Rows of one number, of none, and of one by one."""
    save_module(
        path,
        lambda x: {
            "one": x[:, :1],
            "none": x[:, :0],
            "one_by_one": x[:, :1, None],
            "flat": x[:, 0],
        },
        tf.TensorSpec((None, 2), tf.float32, "x"),
    )


FIVE = rows(x=floats(1, 2, None, 4, 5))
TRIPLES = rows(x=vectors([1, 2, 3], [0, 0, 0], [-1, 5, 2]))
FOURS = rows(x=vectors([1, 2, 3, 4], [5, 6, 7, 8]))
MATRICES = pa.array(
    [[[1, 2], [3, 4]], [[5, 6, 7]], None, [[1, 2], [3, 9]], [[0], [1], [2]]],
    pa.list_(pa.list_(pa.float32())),
)
FIXED = r"output labels: string \(3,\)"

CASES = (
    Case(fixed_rows, FIVE, rows=2),
    Case(neighbours, rows(x=floats(1, 2, 3, 4, 5)), rows=2),
    Case(labels, TRIPLES, "refused", refused=FIXED),
    Case(labels, TRIPLES, "left out", fetch={"scores": "scores"}),
    Case(labels_of_fixed_rows, TRIPLES, "refused", refused=FIXED),
    Case(labels_of_fixed_rows, TRIPLES, "left out", fetch={"scores": "scores"}, rows=2),
    Case(running_sum, FIVE, "all", options={"batch_size": 5}, rows="all"),
    Case(running_sum, FIVE, "each", options={"batch_size": 1}),
    Case(one_row, FOURS, "refused", refused="batch_size=1|--batch-size 1"),
    Case(one_row, FOURS, "each", options={"batch_size": 1}),
    Case(one_row_out, FOURS, "refused", refused="batch_size=1|--batch-size 1"),
    Case(one_row_out, FOURS, "each", options={"batch_size": 1}),
    Case(open_dimensions, rows(x=MATRICES)),
    Case(fewer_rows, rows(x=floats(1, -1, 2)), refused="output 'y' is not what its signature says"),
    Case(row_shapes, rows(x=vectors([1, 2], None, [3, 4]))),
)
