"""Inputs and outputs without a shape in the signature; the graph may or may not have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import (
    Ends,
    of_unknown_rank,
    save_graph,
    save_module,
    v1,
    without_output_shapes,
    without_shapes,
)

NUMBERS = rows(x=floats(1, -2.5, None, float("nan"), 3e38, 1e-30))
LISTS = rows(x=vectors([1, 2, 3], [4, 5], None, [6], [7, 8, 9]))


def _half_plus_three(shape: Any) -> Callable[[], Ends]:
    def build() -> Ends:
        x = v1.placeholder(tf.float32, shape, "x")
        return {"x": x}, {"y": x * 0.5 + 3}

    return build


def no_shape(path: Path) -> None:
    """TensorFlow Serving's half_plus_three; no shape is given anywhere."""
    save_graph(path, _half_plus_three(None), without_shapes)


def no_shape_but_in_the_graph(path: Path) -> None:
    """The same, but the graph shows that a row is a number."""
    save_graph(path, _half_plus_three((None,)), without_shapes)


def unknown_output(path: Path) -> None:
    """An output of unknown rank; its node has the shape."""
    save_graph(path, _half_plus_three((None, 1)), of_unknown_rank("y"))


def unknown_output_of_plain_ops(path: Path) -> None:
    """The same; its shape follows only from the shape of the placeholder."""
    save_graph(path, _half_plus_three((None,)), of_unknown_rank("y"), without_output_shapes)


def hidden_output(path: Path) -> None:
    """An output whose shape is known only at run time."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, None), "x")
        return {"x": x}, {"y": tf.reshape(x * 2, tf.shape(x)), "first": x[:, 0]}

    save_graph(path, build, of_unknown_rank("y"), without_output_shapes)


def hidden_in_a_function(path: Path) -> None:
    """The same, as TensorFlow 2 writes it."""
    save_module(
        path,
        lambda x: {"y": tf.raw_ops.PlaceholderWithDefault(input=x + 1, shape=None), "z": x - 1},
        tf.TensorSpec((None,), tf.float32, "x"),
    )


def any_rank(path: Path) -> None:
    """Takes rows of any shape."""
    save_module(
        path,
        lambda x: {"total": tf.reduce_sum(tf.reshape(x, (tf.shape(x)[0], -1)), 1)},
        tf.TensorSpec(None, tf.float32, "x"),
    )


SAY_THE_SHAPE = r"output y: float32 unknown rank.*output.shape"
NESTED = pa.array([[[1.0, 2.0]], [[3.0, 4.0]], None], pa.list_(pa.list_(pa.float32())))

CASES = (
    Case(no_shape, NUMBERS, "refused", refused=SAY_THE_SHAPE),
    Case(no_shape, NUMBERS, "scalars", options={"output_shapes": {"y": ()}}),
    Case(no_shape, LISTS, "vectors", options={"output_shapes": {"y": (None,)}}),
    Case(
        no_shape,
        LISTS,
        "another shape",
        options={"output_shapes": {"y": (3,)}},
        refused=r"output 'y'.*expected.*\(2, 3\)|output 'y'.*expected.*\(1, 3\)",
    ),
    Case(no_shape_but_in_the_graph, NUMBERS),
    Case(unknown_output, NUMBERS),
    Case(unknown_output_of_plain_ops, NUMBERS, options={"output_shapes": {"y": ()}}),
    Case(hidden_output, LISTS, "refused", refused=SAY_THE_SHAPE),
    Case(hidden_output, LISTS, "given", options={"output_shapes": {"y": (None,)}}),
    Case(hidden_output, LISTS, "left out", fetch={"first": "first"}),
    Case(
        hidden_output,
        LISTS,
        "no such output",
        options={"output_shapes": {"x": ()}},
        refused="output.shape.*'x'",
    ),
    Case(hidden_in_a_function, NUMBERS, "refused", refused=SAY_THE_SHAPE),
    Case(hidden_in_a_function, NUMBERS, "given", options={"output_shapes": {"y": ()}}),
    Case(any_rank, NUMBERS, "scalars"),
    Case(any_rank, LISTS, "vectors"),
    Case(any_rank, rows(x=NESTED), "matrices"),
)
