"""Forms of TensorFlow 1: text, old checkpoints, reference variables, loops, devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow.core.protobuf.saver_pb2 import SaverDef

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, as_text, old_control_flow, save_graph, v1

POINTS = rows(x=vectors([1, 2], [3, 5], None, [float("nan"), 0], [-0.0, 3e38], [0.5, None]))


def _plane(resource: bool) -> Ends:
    """`2·x0 − x1 + 3` with weights in variables of either kind."""
    x = v1.placeholder(tf.float32, (None, 2), "x")
    weights, bias = (
        v1.get_variable(name, initializer=tf.constant(value), use_resource=resource)
        for name, value in (("weights", [[2.0], [-1.0]]), ("bias", [3.0]))
    )
    return {"x": x}, {"y": tf.matmul(x, weights) + bias}


def text_form(path: Path) -> None:
    """`saved_model.pbtxt`."""
    save_graph(path, lambda: _plane(True))
    as_text(path)


def reference_variables(path: Path) -> None:
    """`VariableV2`, as all models before 2018 have them."""
    save_graph(path, lambda: _plane(False))


def old_checkpoint(path: Path) -> None:
    """Variables in one file of the first format."""
    save_graph(path, lambda: _plane(False), saver=lambda: v1.train.Saver(write_version=SaverDef.V1))


def old_checkpoint_in_shards(path: Path) -> None:
    """Variables in numbered files of the first format."""
    save_graph(
        path,
        lambda: _plane(False),
        saver=lambda: v1.train.Saver(write_version=SaverDef.V1, sharded=True),
    )


def no_variables(path: Path) -> None:
    """A frozen graph: only constants."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, 2), "x")
        return {"x": x}, {"y": x[:, 0] * 2 - x[:, 1] + 3}

    save_graph(path, build)


def loop(path: Path) -> None:
    """Doubles each row `n` times, with the loops of TensorFlow 1."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None,), "x")
        n = v1.placeholder(tf.int32, (None,), "n")

        def step(i: Any, y: Any) -> Any:
            return i + 1, tf.where(i < n, y * 2, y)

        _, y = v1.while_loop(lambda i, _: i < tf.reduce_max(n), step, (0, x))
        return {"x": x, "n": n}, {"y": y}

    with old_control_flow():
        save_graph(path, build)


def on_a_device(path: Path) -> None:
    """Nodes that name the GPU and the machine on which they were trained."""

    def build() -> Ends:
        with tf.device("/job:localhost/replica:0/task:0/device:GPU:0"):
            x = v1.placeholder(tf.float32, (None,), "x")
            return {"x": x}, {"y": tf.sqrt(x)}

    save_graph(path, build)


def vocabulary(path: Path) -> None:
    """A table read from an asset by the `legacy_init_op`."""
    words = path.parent / "words.txt"
    words.parent.mkdir(parents=True, exist_ok=True)
    words.write_text("zero\none\ntwo\n")

    def build() -> Ends:
        word = v1.placeholder(tf.string, (None,), "word")
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )
        return {"word": word}, {"id": table.lookup(word)}

    save_graph(path, build, legacy_init_op=v1.tables_initializer)
    words.unlink()


CASES = (
    Case(text_form, POINTS),
    Case(reference_variables, POINTS),
    Case(old_checkpoint, POINTS),
    Case(old_checkpoint_in_shards, POINTS, refused="variables"),
    Case(no_variables, POINTS),
    Case(loop, rows(x=floats(1, -1.5, None, 3e38), n=pa.array([3, 0, 2, 40], pa.int32()))),
    Case(on_a_device, rows(x=floats(4, -1, None, float("inf")))),
    Case(vocabulary, rows(word=pa.array(["two", "zero", None, "", "größe"]))),
)
