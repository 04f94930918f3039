"""Writes the models of the bridge's tests, and TensorFlow's answers for their rows.

Run from the root of the repository: `.venv/bin/python scala-bridge/tools/write_models.py [NAME…]`.
Writes all models, or the named ones, into `scala-bridge/src/test/models`. This folder is in the
repository, so the tests need no Python. Weights are set by hand. `answers.json` contains, for each
model, the rows (columns of the call, in order) and the answers of `tf.saved_model.load`, which the
tests compare with those of the bridge. The models of odd forms have no rows there: their tests
contain the answers.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2]))

from tfspark.package import load
from tfspark.testing import save_function, save_linear

MODELS = Path(__file__).parents[1] / "src" / "test" / "models"
VECTOR = tf.TensorSpec((None, 2), tf.float32, name="inputs")
NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32")


def types(path: Path) -> None:
    """Every supported type: numbers are doubled, booleans inverted, strings in lower case."""
    names = (*NUMBERS, *UNSIGNED, "bool", "string")
    specs = [tf.TensorSpec((None,), getattr(tf, name), name=f"in_{name}") for name in names]

    def serve(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        fed = dict(zip(names, given, strict=True))
        numbers = {f"out_{name}": fed[name] + fed[name] for name in NUMBERS}
        whole = {
            f"out_{name}": tf.cast(tf.cast(fed[name], tf.int64) * 2, getattr(tf, name))
            for name in UNSIGNED
        }
        return (
            numbers
            | whole
            | {
                "out_bool": tf.logical_not(fed["bool"]),
                "out_string": tf.strings.lower(fed["string"]),
            }
        )

    save_function(path, serve, *specs)


def shapes(path: Path) -> None:
    """Takes a matrix; returns its transpose and its sum."""
    spec = tf.TensorSpec((None, 2, 3), tf.float32, name="matrix")
    save_function(
        path,
        lambda matrix: {
            "total": tf.reduce_sum(matrix, axis=[1, 2]),
            "turned": tf.transpose(matrix, [0, 2, 1]),
        },
        spec,
    )


def series(path: Path) -> None:
    """Takes rows of any length; returns running sums and the total."""
    spec = tf.TensorSpec((None, None), tf.float64, name="values")
    save_function(
        path,
        lambda values: {"running": tf.cumsum(values, axis=1), "total": tf.reduce_sum(values, 1)},
        spec,
    )


def pair(path: Path) -> None:
    """Two inputs, two outputs, and a second signature with one input."""
    alpha = tf.TensorSpec((None,), tf.int64, name="alpha")
    beta = tf.TensorSpec((None, 2), tf.float32, name="beta")
    single = tf.function(
        lambda alpha: {"next": alpha + 1}, input_signature=[alpha], autograph=False
    )
    save_function(
        path,
        lambda alpha, beta: {
            "product": tf.cast(alpha, tf.float32)[:, None] * beta,
            "sign": tf.where(alpha < 0, "minus", "plus"),
        },
        alpha,
        beta,
        single=single,
    )


def fixed(path: Path) -> None:
    """Batches of exactly four rows."""
    spec = tf.TensorSpec((4, 2), tf.float32, name="inputs")
    save_function(path, lambda inputs: {"outputs": inputs[:, 0] - inputs[:, 1]}, spec)


def picky(path: Path) -> None:
    """Refuses a row with a negative first element."""

    def serve(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        checked = tf.debugging.assert_non_negative(inputs[:, 0], message="negative")
        with tf.control_dependencies([checked]):
            return {"outputs": tf.sqrt(inputs[:, 0]) + inputs[:, 1]}

    save_function(path, serve, VECTOR)


def words(path: Path) -> None:
    """A vocabulary in an asset file; an unknown word is 3."""
    vocabulary = Path("vocabulary.txt")  # the graph contains the path, which should not name a user
    vocabulary.write_text("zero\neins\nzwei\n")
    module = tf.Module()
    module.table = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        num_oov_buckets=1,
    )
    module.serve = tf.function(
        lambda word: {"index": module.table.lookup(word)},
        input_signature=[tf.TensorSpec((None,), tf.string, name="word")],
        autograph=False,
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    vocabulary.unlink()


# --- odd forms ------------------------------------------------------------------------------------


def one_row(path: Path) -> None:
    """No batch dimension: takes scalars; returns a scalar, a vector and a text."""
    number, text = tf.TensorSpec((), tf.float32, name="x"), tf.TensorSpec((), tf.string, name="s")
    save_function(
        path,
        lambda x, s: {"y": 2.0 * x + 1.0, "pair": tf.stack([x, -x]), "twice": s + s},
        number,
        text,
    )


def factor(path: Path) -> None:
    """A scalar and a batched input: `x·k`, and the number of rows of the batch."""
    batch, scalar = tf.TensorSpec((None,), tf.float32, "x"), tf.TensorSpec((), tf.float32, "k")
    save_function(
        path, lambda x, k: {"y": x * k, "rows": tf.fill(tf.shape(x), tf.size(x))}, batch, scalar
    )


def open_rank(path: Path) -> None:
    """An output of unknown rank."""
    save_function(path, lambda inputs: {"y": without_shape(inputs[:, 0] - inputs[:, 1])}, VECTOR)


def without_shape(tensor: tf.Tensor, shape: Any = None) -> tf.Tensor:
    """Return a tensor of unknown shape, or with only a known shape."""
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)


def labels(path: Path) -> None:
    """The scores of three classes, and their names: always three, for any number of rows."""
    save_function(
        path,
        lambda inputs: {
            "scores": tf.concat([inputs, inputs[:, :1]], 1),
            "labels": tf.constant(["a", "b", "c"]),
        },
        VECTOR,
    )


def alone(path: Path) -> None:
    """Accepts any number of rows in its signature, but only one in a run."""
    spec = tf.TensorSpec((None,), tf.float32, name="x")
    save_function(path, lambda x: {"y": without_shape(tf.reshape(x, [1]) * 2.0, (None,))}, spec)


def no_kernel(path: Path) -> None:
    """An operation that runs only on a GPU."""

    def serve(x: tf.Tensor) -> dict[str, tf.Tensor]:
        state, weights = tf.zeros((1, 1, 1)), tf.zeros((16,))
        steps = tf.reshape(x, (-1, 1, 1))
        ran = tf.raw_ops.CudnnRNN(input=steps, input_h=state, input_c=state, params=weights)
        return {"y": tf.reshape(ran.output, (-1,))}

    save_function(path, serve, tf.TensorSpec((None,), tf.float32, name="x"))


def pixels(path: Path) -> None:
    """Pictures of 2 by 2 pixels of three channels, and all their bytes in order."""
    spec = tf.TensorSpec((None, 2, 2, 3), tf.uint8, name="image")
    floats = tf.TensorSpec((None, None, None, 3), tf.float32, name="image")
    mean = tf.function(
        lambda image: {"mean": tf.reduce_mean(image, [1, 2])}, input_signature=[floats]
    )
    save_function(
        path,
        lambda image: {"bytes": tf.reshape(tf.cast(image, tf.int32), (-1, 12))},
        spec,
        mean=mean,
    )


def checkpoint_2016(path: Path) -> None:
    """`2·x0 − x1 + 3` as TensorFlow 1 wrote it, with a checkpoint of the first format."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 2), name="x")
        weights = v1.get_variable("w", initializer=[[2.0], [-1.0]], use_resource=False)
        y = tf.add(tf.matmul(x, weights), v1.get_variable("b", initializer=[3.0]), name="y")
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.utils.build_tensor_info
        signature = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y)}, "predict")
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            saver=v1.train.Saver(write_version=1),
        )
        builder.save()


WRITERS: dict[str, Callable[[Path], Any]] = {
    "linear": save_linear,
    "types": types,
    "shapes": shapes,
    "series": series,
    "pair": pair,
    "fixed": fixed,
    "picky": picky,
    "words": words,
    "one_row": one_row,
    "factor": factor,
    "open_rank": open_rank,
    "labels": labels,
    "alone": alone,
    "no_kernel": no_kernel,
    "pixels": pixels,
    "checkpoint_2016": checkpoint_2016,
}

# One list per row: the arguments of a call, inputs sorted by name.
ROWS: dict[str, list[list[Any]]] = {
    "linear": [[[1.0, 2.0]], [[3.0, 5.0]], [[7.0, 8.0]], [[-0.5, 1e6]]],
    # bool, float16, float32, float64, int16, int32, int64, int8, string, uint16, uint32, uint8
    "types": [
        [True, 1.5, 2.5, 0.1, 7, 70000, 2**40, -3, "Grüße, WELT", 40000, 2**31, 200],
        [False, -0.25, 1e-3, -1e300, -7, -1, -(2**40), 3, "", 0, 0, 0],
        [True, 6.1e-5, 1.6e38, math.pi, 16383, 2**30, 1, -64, "x" * 100, 1, 1, 1],
    ],
    "shapes": [[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]], [[[0.5, 0.0, 0.0], [0.0, 0.0, -1.0]]]],
    "series": [[[1.0, 2.0]], [[5.0]], [[1.0, 1.0, 1.0]], [[]], [[2.0, 0.5]]],
    "pair": [[2, [1.0, 2.0]], [-3, [0.5, 4.0]]],
    "fixed": [[[float(n), 1.0]] for n in range(6)],
    "picky": [[[4.0, 1.0]], [[9.0, 0.0]]],
    "words": [["zwei"], ["zero"], ["drei"]],
}


def answers(name: str, rows: list[list[Any]]) -> dict[str, Any]:
    """Score rows one by one with TensorFlow; a model with fixed batches gets copies of the row."""
    package = load(MODELS / name)
    serve = tf.saved_model.load(package.path).signatures["serving_default"]
    scored = []
    for row in rows:
        fed = {}
        for spec, value in zip(package.signature.inputs, row, strict=True):
            shape = tuple(spec.row_shape or ())
            known = None not in shape
            array = np.array(value, dtype=object if spec.dtype == "string" else spec.dtype)
            array = array.reshape((1, *shape)) if known else array[None]
            fed[spec.name] = tf.constant(np.repeat(array, spec.batch_dimension or 1, axis=0))
        results = serve(**fed)
        scored.append(
            {
                spec.name: plain(results[spec.name].numpy()[0], is_scalar=spec.row_shape == (1,))
                for spec in package.signature.outputs
            }
        )
    return {"digest": package.digest, "rows": rows, "answers": scored}


def plain(value: Any, *, is_scalar: bool = False) -> Any:
    """Return values for JSON; rows of shape (1,) are scalar columns in Spark."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return plain(value[0]) if is_scalar else [plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    """Write all models, or the named ones, and the answers."""
    for name in sys.argv[1:] or WRITERS:
        shutil.rmtree(MODELS / name, ignore_errors=True)
        WRITERS[name](MODELS / name / "1")
        assets = MODELS / name / "1" / "assets"
        if assets.is_dir() and not any(assets.iterdir()):
            assets.rmdir()
    document = {name: answers(name, rows) for name, rows in ROWS.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in document.items()]
    (MODELS / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
