"""Several signatures and tag sets, names that are not identifiers, requests in tf.Example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import tensorflow as tf

from tests.thirdparty.case import Case, floats, rows, vectors
from tests.thirdparty.writing import Ends, save_graph, v1


def odd_names(path: Path) -> None:
    """Names that no Python argument and no bare SQL name can have."""

    def build() -> Ends:
        shape = tf.float32, (None,)
        a, b, c = (
            v1.placeholder(*shape, "a"),
            v1.placeholder(*shape, "in/b"),
            v1.placeholder(*shape),
        )
        return {"class": a, "x-y": b, "größe 1.0": c}, {"a/b:0": a + b, "`y`": b - c, "from": a * c}

    save_graph(path, build)


def several(path: Path) -> None:
    """Two signatures in two tag sets; neither is the default."""

    def build() -> Mapping[str, Ends]:
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"double": ({"x": x}, {"y": x * 2}), "half": ({"x": x}, {"y": x / 2})}

    with tf.Graph().as_default(), v1.Session() as session:
        writer = v1.saved_model.Builder(str(path))
        signatures = {
            name: v1.saved_model.predict_signature_def(*ends) for name, ends in build().items()
        }
        writer.add_meta_graph_and_variables(session, ["train"])
        writer.add_meta_graph(["serve", "gpu"], signatures)
        writer.save()


def estimator(path: Path) -> None:
    """`classify`, `regress` and `predict` of an estimator: two of them read tf.Example."""

    def build() -> Mapping[str, Ends]:
        serialized = v1.placeholder(tf.string, (None,), "examples")
        feature = tf.io.FixedLenFeature((2,), tf.float32)
        x = tf.io.parse_example(serialized, {"x": feature})["x"]
        score = tf.reduce_sum(x, 1, keepdims=True)
        classes = tf.tile(tf.constant([["no", "yes"]]), [tf.shape(x)[0], 1])
        scores = tf.concat([-score, score], 1)
        return {
            "serving_default": ({"inputs": serialized}, {"classes": classes, "scores": scores}),
            "regression": ({"inputs": serialized}, {"outputs": score}),
            "predict": ({"x": x}, {"logits": score, "label": tf.argmax(scores, 1)}),
        }

    save_graph(path, build)


def example(x: Any) -> bytes:
    """Return a tf.Example with the two features of `x`."""
    floats = tf.train.Feature(float_list=tf.train.FloatList(value=x))
    features = tf.train.Features(feature={"x": floats})
    return bytes(tf.train.Example(features=features).SerializeToString())


ODD = rows(**{"class": floats(1, 2, None), "x-y": floats(3, 4, 5), "größe 1.0": floats(0.5, 0, 1)})
NUMBERS = rows(x=floats(1, None, 3e38))
EXAMPLES = pa.array([example([1, 2]), None, example([-3, 0.5])], pa.binary())
GPU = {"tags": ("serve", "gpu")}

CASES = (
    Case(odd_names, ODD),
    Case(several, NUMBERS, "double", options={**GPU, "signature": "double"}),
    Case(several, NUMBERS, "half", options={"signature": "half", "tags": ("gpu", "serve")}),
    Case(
        several, NUMBERS, "no default", options=GPU, refused="'serving_default'.*'double', 'half'"
    ),
    Case(several, NUMBERS, "no tag set", refused="tag set 'serve'.*'train'.*'serve', 'gpu'|tags"),
    Case(estimator, rows(inputs=EXAMPLES), "classify"),
    Case(estimator, rows(inputs=EXAMPLES), "regress", options={"signature": "regression"}),
    Case(
        estimator,
        rows(x=vectors([1, 2], None, [float("nan"), 1])),
        "predict",
        options={"signature": "predict"},
    ),
)
