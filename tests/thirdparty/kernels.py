"""Operations that this TensorFlow does not know, or cannot run on this machine."""

from __future__ import annotations

import gc
from pathlib import Path

import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows
from tests.thirdparty.writing import Change, Ends, other_op, save_graph, v1


def _save(path: Path, *changes: Change) -> None:
    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"x": x}, {"y": tf.identity(x * 2, "odd"), "z": x + 1}

    save_graph(path, build, *changes)


def unknown_op(path: Path) -> None:
    """An operation of a library that is not installed."""
    _save(path, other_op("odd", "SentencepieceOp"))


def missing_kernel(path: Path) -> None:
    """An operation with a kernel only for GPUs."""
    reduce_all = {"reduction": "sum", "num_devices": 1, "shared_name": "all"}
    _save(path, other_op("odd", "NcclAllReduce", **reduce_all))


def left_behind(path: Path) -> None:
    """A Python function: it is not saved in the SavedModel, and is deleted with its graph."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None,), "x")
        function = v1.py_func(lambda value: abs(value), [x], tf.float32)
        return {"x": x}, {"y": tf.ensure_shape(function, (None,))}

    save_graph(path, build)
    gc.collect()  # TensorFlow finds the function as long as the graph exists


NUMBERS = rows(x=floats(1, 2, None))

CASES = (
    Case(unknown_op, NUMBERS, refused="SentencepieceOp"),
    Case(missing_kernel, NUMBERS, refused="NcclAllReduce"),
    Case(left_behind, NUMBERS, refused="py_function|PyFunc"),
)
