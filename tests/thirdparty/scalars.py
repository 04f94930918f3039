"""Signatures without a dimension for the rows, and scalars beside inputs that have one."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, save_graph, save_module, v1


def scalar(path: Path) -> None:
    """`y` = 2·x + 1, one number at a time."""
    save_module(path, lambda x: {"y": x * 2 + 1}, tf.TensorSpec((), tf.float32, "x"))


def scalars(path: Path) -> None:
    """Sum and product of two numbers."""

    def build() -> Ends:
        a, b = (v1.placeholder(tf.int32, (), name) for name in "ab")
        return {"a": a, "b": b}, {"sum": a + b, "product": a * b}

    save_graph(path, build)


def scalar_text(path: Path) -> None:
    """One text at a time, and its parts."""
    save_module(
        path,
        lambda text: {
            "upper": tf.strings.upper(text),
            "parts": tf.strings.split([text]).flat_values,
        },
        tf.TensorSpec((), tf.string, "text"),
    )


def scalar_to_vector(path: Path) -> None:
    """Three powers of one number."""
    save_module(
        path,
        lambda x: {"powers": tf.stack([x, x * x, x * x * x])},
        tf.TensorSpec((), "float64", "x"),
    )


def dropout(path: Path) -> None:
    """A network with the training switches `keep_prob` and `is_training`."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, 2), "x")
        keep = v1.placeholder(tf.float32, (), "keep_prob")
        training = v1.placeholder(tf.bool, (), "is_training")
        y = tf.reduce_sum(x, 1) * keep
        return (
            {"x": x, "keep_prob": keep, "is_training": training},
            {"y": tf.cond(training, lambda: y * 0, lambda: y)},
        )

    save_graph(path, build)


def top(path: Path) -> None:
    """The `k` largest values of each row."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, 4), "x")
        k = v1.placeholder(tf.int32, (), "k")
        values, indices = tf.math.top_k(x, k)
        return {"x": x, "k": k}, {"values": values, "indices": indices}

    save_graph(path, build)


def pair(path: Path) -> None:
    """`a − b` of two columns."""
    specs = (tf.TensorSpec((None,), tf.float32, name) for name in "ab")
    save_module(path, lambda a, b: {"y": a - b}, *specs)


def pair_of_ints(path: Path) -> None:
    """`a − b` of two columns of integers."""
    specs = (tf.TensorSpec((None,), tf.int32, name) for name in "ab")
    save_module(path, lambda a, b: {"y": a - b}, *specs)


SAY_A_VALUE = r'input keep_prob.*("keep_prob": value|--constant keep_prob=|literal)'
POINTS = rows(x=vectors([1, 2], [3, 5], None, [float("nan"), 1]))
INTS = pa.array([1, None, -(2**31)], pa.int32())
FOURS = vectors([1, 9, 3, 7], [4, 4, 2, 8], None, [0, -1, -2, -3])

CASES = (
    Case(scalar, rows(x=floats(1, None, float("nan"), -0.5)), rows="bare"),
    Case(
        scalars,
        rows(a=pa.array([1, 2, None, -(2**31)], pa.int32()), b=pa.array([5, 6, 7, 1], pa.int32())),
        rows="bare",
    ),
    Case(scalar_text, rows(text=pa.array(["a b", "", None, "größe x y"])), rows="bare"),
    Case(scalar_to_vector, rows(x=pa.array([1.5, None, -2.0])), rows="bare"),
    Case(dropout, POINTS, "constants", feed={"keep_prob": 0.5, "is_training": False}),
    Case(dropout, POINTS, "without", by_call=False, refused=SAY_A_VALUE),
    Case(
        dropout,
        POINTS.append_column("keep_prob", floats(1, 0.5, 1, 0.5)),
        "column",
        feed={"is_training": False},
    ),
    Case(top, rows(x=FOURS), "constant", feed={"k": 2}),
    Case(top, rows(x=FOURS, k=pa.array([1, 3, 2, 1], pa.int32())), "column"),
    Case(top, rows(x=FOURS), "too large", feed={"k": 5}, refused="k|input must have at least"),
    Case(top, rows(x=FOURS), "no integer", feed={"k": 2.5}, refused=r"input k: int32 \(\)"),
    Case(pair, rows(a=floats(1, None, 3e38)), "constant for rows", feed={"b": 2}),
    Case(pair_of_ints, rows(a=INTS, b=INTS)),
)
