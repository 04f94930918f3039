"""Forms of TensorFlow 2: tables in objects, text and pictures in the graph, shared tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, save_graph, save_module, v1


def _save(path: Path, module: tf.Module, serve: Any, *specs: Any) -> None:
    module.serve = tf.function(serve, input_signature=specs, autograph=False)
    tf.saved_model.save(module, str(path), signatures=module.serve)


def buckets(path: Path) -> None:
    """A vocabulary from an asset, with buckets for other words, and a table that can change."""
    words = path.parent / "words.txt"
    words.parent.mkdir(parents=True, exist_ok=True)
    words.write_text("zero\none\n")
    index = tf.lookup.TextFileIndex
    file = tf.lookup.TextFileInitializer(
        str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
    )
    module = tf.Module()
    module.ids = tf.lookup.StaticVocabularyTable(file, 3)
    module.sizes = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, -1)
    module.sizes.insert(["zero", "größe"], [0.5, 2.0])
    serve = lambda word: {"id": module.ids.lookup(word), "size": module.sizes.lookup(word)}  # noqa: E731
    _save(path, module, serve, tf.TensorSpec((None,), tf.string, "word"))
    words.unlink()


def one_tensor(path: Path) -> None:
    """Several outputs are one tensor, one is the second output of its operation."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None, 4), "x")
        left, right = tf.split(x * 2, 2, 1)
        return {"x": x}, {"a": right, "b": right, "output.1": left, "same": x}

    save_graph(path, build)


def two_names(path: Path) -> None:
    """Two inputs are one tensor."""

    def build() -> Ends:
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"x": x, "z": x}, {"y": x * 2}

    save_graph(path, build)


def words_of_python(path: Path) -> None:
    """Inputs with the names of Python's arguments, of SQL's words, and of both."""
    names = ("self", "cls", "columns", "named", "select", "🙂 x")

    def build() -> Ends:
        tensors = [v1.placeholder(tf.float32, (None,)) for _ in names]
        total = tf.add_n([tensor * 2.0**at for at, tensor in enumerate(tensors)])
        return dict(zip(names, tensors, strict=True)), {"y": total, "%s {0} 日本": -total}

    save_graph(path, build)


def longest_text(path: Path) -> None:
    """Each row is padded to the longest text of its batch."""
    save_module(
        path,
        lambda text: {"words": tf.strings.split(text).to_tensor("-")},
        tf.TensorSpec((None,), tf.string, "text"),
    )


def fixed_text(path: Path) -> None:
    """A fixed number of words and code points, and bytes that are not text."""

    def serve(text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "words": tf.strings.split(text).to_tensor("", shape=(None, 2)),
            "points": tf.strings.unicode_decode(text, "UTF-8").to_tensor(0, shape=(None, 3)),
            "utf16": tf.strings.unicode_transcode(text, "UTF-8", "UTF-16-BE"),
        }

    save_module(path, serve, tf.TensorSpec((None,), tf.string, "text"))


def five_dimensions(path: Path) -> None:
    """Rows of rank 5, an empty output of rank 3, and loops compiled by XLA."""

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        total = tf.reduce_sum(x, (1, 2, 3, 4, 5))
        return {
            "turned": tf.transpose(x, (0, 5, 4, 3, 2, 1)),
            "empty": tf.zeros((tf.shape(x)[0], 2, 0)),
            "loop": tf.while_loop(lambda _: True, lambda y: y * 2, [total], maximum_iterations=3)[
                0
            ],
            "compiled": tf.function(tf.nn.relu, jit_compile=True)(total - 9),
        }

    save_module(path, serve, tf.TensorSpec((None, 2, 1, 3, 2, 2), tf.float32, "x"))


def small_types(path: Path) -> None:
    """Computes with half precision and quantised numbers; one output is no column."""

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        quantised = tf.quantization.quantize(x, -2.0, 2.0, tf.quint8)
        return {
            "half": tf.cast(x, tf.float16) * 3,
            "brain": tf.cast(tf.cast(x, tf.bfloat16), tf.float32),
            "steps": tf.quantization.dequantize(*quantised),
            "tiny": tf.cast(x, tf.dtypes.experimental.float8_e5m2),
        }

    save_module(path, serve, tf.TensorSpec((None, 2), tf.float32, "x"))


TEXTS = rows(text=["a b", "", None, "größe"])
SIX = np.arange(48, dtype=np.float32).reshape(2, -1).tolist()
ODD = rows(**{name: floats(at, 1) for at, name in enumerate(("self", "cls", "columns", "named"))})
ODD = ODD.append_column("select", floats(4, None)).append_column("🙂 x", floats(5, 1))

CASES = (
    Case(buckets, rows(word=["one", "größe", None, "other", ""])),
    Case(one_tensor, rows(x=vectors([1, 2, 3, 4], None, [5, 6, 7, float("nan")]))),
    Case(two_names, rows(x=floats(1), z=floats(1)), refused="inputs .*x.*z.* are the same tensor"),
    Case(words_of_python, ODD),
    Case(longest_text, TEXTS, options={"batch_size": 1}),
    Case(fixed_text, TEXTS, fetch={"words": "w", "points": "p"}),
    Case(fixed_text, TEXTS, "bytes", options={"strings": "binary"}),
    Case(five_dimensions, rows(x=vectors(*SIX))),
    Case(
        small_types,
        rows(x=pa.array([[0.1, -1], None, [2, 1.9]], pa.list_(pa.float64()))),
        "left out",
        fetch={"half": "half", "brain": "brain", "steps": "steps"},
    ),
    Case(small_types, rows(x=vectors([1, 2])), "refused", refused="output tiny: float8_e5m2"),
)
