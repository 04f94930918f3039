"""The tests' own SavedModels, written to a folder: types, shapes, state, tables, refusals.

They are those that the tests of `tests/engine` and `tests/spark` write for Python's engines.
Weights are set by hand; each writer returns the base path of a version 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfspark.dtypes import TABLE
from tfspark.testing import save_function, save_linear

TYPES = tuple(row.name for row in TABLE)
Spec = tf.TensorSpec


class SmallModels:
    """Writes models below a folder, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, function: Callable[..., Any], *specs: Any, **signatures: Any) -> str:
        """Write a model around a TensorFlow function."""
        path = self.folder / name
        if not path.exists():
            save_function(path / "1", function, *specs, **signatures)
        return str(path)

    def identity(self, dtype: str, *row: int | None) -> str:
        """Returns the input `x` as `y`."""
        name = "-".join([dtype, *map(str, row)])
        return self.save(name, lambda x: {"y": tf.identity(x)}, Spec((None, *row), dtype, "x"))

    def any_rank(self) -> str:
        """Takes rows of any rank."""
        return self.save(
            "any_rank",
            lambda x: {"total": tf.reduce_sum(tf.reshape(x, (tf.shape(x)[0], -1)), 1)},
            Spec(None, "float32", "x"),
        )

    def every_type(self) -> str:
        """One input and one output of each type."""

        def same(*tensors: Any) -> dict[str, Any]:
            pairs = zip(TYPES, tensors, strict=True)
            return {f"y_{name}": tf.identity(one) for name, one in pairs}

        return self.save("every_type", same, *(Spec((None,), name, name) for name in TYPES))

    def unfit(self) -> str:
        """Outputs of which only one can be a column."""

        def serve(x: Any) -> dict[str, Any]:
            return {
                "good": x + 1,
                "complex": tf.complex(x, x),
                "total": tf.reduce_sum(x),
                "any": tf.raw_ops.PlaceholderWithDefault(input=x, shape=None),
                "large": tf.cast(x, tf.complex128),
            }

        return self.save("unfit", serve, Spec((None,), "float32", "x"))

    def pair(self) -> str:
        """Two inputs and two outputs; a second signature."""
        scalar = Spec((None,), "int64", "x")
        double = tf.function(lambda x: {"twice": x * 2}, input_signature=[scalar], autograph=False)
        specs = Spec((None,), "float32", "a"), Spec((None,), "float32", "b")
        return self.save(
            "pair", lambda a, b: {"sum": a + b, "difference": a - b}, *specs, double=double
        )

    def odd_keys(self) -> str:
        """Names that no Python argument can have; two outputs are inputs passed on."""
        path, v1 = self.folder / "odd kéys", tf.compat.v1
        if not path.exists():
            with tf.Graph().as_default(), v1.Session() as session:
                one, other = (v1.placeholder(tf.float32, (None,), name) for name in ("o", "in/x"))
                text = v1.placeholder(tf.string, (None,), "text")
                inputs = {"class": one, "a-b": other, "x/y:0": text}
                outputs = {"class": one * 2 + other, "a-b": other, "x/y:0": text}
                v1.saved_model.simple_save(session, str(path / "1"), inputs, outputs)
        return str(path)

    def text(self) -> str:
        """Kernels on strings; one of them reads up to the NUL after the string."""

        def serve(text: Any) -> dict[str, Any]:
            return {
                "upper": tf.strings.upper(text, encoding="utf-8"),
                "twice": tf.strings.join([text, text]),
                "start": tf.strings.substr(text, 0, 3, unit="UTF8_CHAR"),
                "length": tf.strings.length(text),
                "bucket": tf.strings.to_hash_bucket_fast(text, 1000),
            }

        return self.save("text", serve, Spec((None,), "string", "text"))

    def numbers(self) -> str:
        """Refuses text that is not a number."""
        return self.save(
            "numbers",
            lambda text: {"number": tf.strings.to_number(text)},
            Spec((None,), "string", "text"),
        )

    def asserts(self) -> str:
        """Refuses numbers from 10."""

        def serve(x: Any) -> dict[str, Any]:
            with tf.control_dependencies([tf.debugging.assert_less(x, 10.0, message="too much")]):
                return {"y": x * 2}

        return self.save("asserts", serve, Spec((None,), "float32", "x"))

    def pictures(self) -> str:
        """Parts of a picture, and a part without elements."""
        return self.save(
            "pictures",
            lambda x: {"corner": x[:, 1, 2], "row": x[:, 1, :2], "none": x[:, 0, :0]},
            Spec((None, 2, 3), "float32", "x"),
        )

    def batches(self) -> str:
        """Returns the number of rows in the batch for each row."""
        return self.save(
            "batches",
            lambda x: {"rows": tf.fill(tf.shape(x), tf.size(x))},
            Spec((None,), "float32", "x"),
        )

    def large(self) -> str:
        """Returns the number of rows in the batch for each row; its file has 40 MB."""
        weights = tf.range(10_000_000.0)
        return self.save(
            "large",
            lambda x: {"rows": tf.fill(tf.shape(x), tf.size(x) + tf.cast(weights[0], tf.int32))},
            Spec((None,), "float32", "x"),
        )

    def shorter(self) -> str:
        """Returns fewer rows than it gets."""
        return self.save("shorter", lambda x: {"y": x[:-1]}, Spec((None,), "float32", "x"))

    def fixed(self) -> str:
        """Takes four rows, and refuses numbers from 10."""

        def serve(x: Any) -> dict[str, Any]:
            with tf.control_dependencies([tf.debugging.assert_less(x, 10.0)]):
                return {"y": -x}

        return self.save("fixed", serve, Spec((4,), "float32", "x"))

    def disagreeing(self) -> str:
        """Inputs of four and of three rows."""
        specs = Spec((4,), "float32", "a"), Spec((3,), "float32", "b")
        return self.save("disagreeing", lambda a, b: {"y": a, "z": b}, *specs)

    def no_inputs(self) -> str:
        """A signature without inputs."""
        return self.save("no_inputs", lambda: {"y": tf.constant([1.0, 2.0])})

    def ids_and_number(self) -> str:
        """Returns the two elements of `ids` as they are, beside a second input `x`."""

        def serve(ids: Any, x: Any) -> dict[str, Any]:
            return {"first": ids[:, 0], "second": ids[:, 1] + tf.cast(0 * x, tf.int64)}

        ids, x = Spec((None, 2), tf.int64, "ids"), Spec((None,), tf.float32, "x")
        return self.save("ids", serve, ids, x)

    def linear(self) -> str:
        """`2·x0 − x1 + 3`."""
        path = self.folder / "linear"
        if not path.exists():
            save_linear(path / "1")
        return str(path)

    def table(self) -> str:
        """A table read from an asset, and a table that learns words."""
        path = self.folder / "table"
        if path.exists():
            return str(path)
        vocabulary = self.folder / "words.txt"
        vocabulary.write_text("zero\none\ntwo\n")
        lines, numbers = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        module = tf.Module()
        module.known = tf.lookup.StaticVocabularyTable(
            tf.lookup.TextFileInitializer(str(vocabulary), tf.string, lines, tf.int64, numbers), 2
        )
        module.seen = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
        spec = Spec((None,), "string", "words")

        def learn(words: Any) -> dict[str, Any]:
            before = module.seen.lookup(words)
            with tf.control_dependencies([before]):
                stored = module.seen.insert(words, tf.range(tf.size(words, out_type=tf.int64)))
            with tf.control_dependencies([stored]):
                return {"before": tf.identity(before), "after": module.seen.lookup(words)}

        module.serve = tf.function(
            lambda words: {"ids": module.known.lookup(words)}, [spec], autograph=False
        )
        module.learn = tf.function(learn, [spec], autograph=False)
        signatures = {"serving_default": module.serve, "learn": module.learn}
        tf.saved_model.save(module, str(path / "1"), signatures=signatures)
        vocabulary.unlink()
        return str(path)
