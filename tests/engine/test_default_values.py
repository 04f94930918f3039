"""Defaults of inputs, compared with the function that TensorFlow exported."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tfspark import package
from tfspark.columns import columns_of
from tfspark.constants import Constant
from tfspark.default_values import default_of
from tfspark.model_page import line_to_copy, sql_to_copy
from tfspark.runner import score
from tfspark.saved_model_pb2 import TensorProto
from tfspark.schema import bind

X = np.array([[1, 2], [3, 4]], np.float32)
ROWS = pa.record_batch({"x": pa.array(X.tolist(), pa.list_(pa.float32()))})


@pytest.fixture(scope="session")
def with_defaults(models):
    """Multiplies rows by a temperature, and repeats a label for each row; both have a default."""
    import tensorflow as tf

    specs = [
        tf.TensorSpec((None, 2), tf.float32, name="x"),
        tf.TensorSpec((), tf.float32, name="temperature"),
        tf.TensorSpec((), tf.string, name="label"),
    ]
    module = tf.Module()
    warm, text = tf.constant(1.5), tf.constant("é")

    @tf.function(input_signature=specs)
    def serve(x, temperature=warm, label=text):
        return {"y": x * temperature, "text": tf.repeat(label, tf.shape(x)[0])}

    module.serve = serve
    path = models / "defaults"
    tf.saved_model.save(module, str(path), signatures=serve)
    return package.load(path)


def scored(model, live, rows=ROWS, feed=None):
    binding = bind(model.signature, columns_of(rows.schema), feed=feed)
    (found,) = score(iter([rows]), binding, live, keep=[])
    return found["y"].to_pylist(), found["text"].to_pylist()


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_an_input_that_nothing_feeds_has_its_default(with_defaults, open_engine, engine):
    import tensorflow as tf

    wanted = tf.saved_model.load(with_defaults.path).serve(tf.constant(X))
    live = open_engine(with_defaults, engine)
    assert scored(with_defaults, live) == (
        wanted["y"].numpy().tolist(),
        [text.decode() for text in wanted["text"].numpy().tolist()],
    )


def test_a_column_or_a_constant_replaces_a_default(with_defaults, open_engine):
    live = open_engine(with_defaults)
    rows = ROWS.append_column("temperature", pa.array([2, 3], pa.float32()))
    assert scored(with_defaults, live, rows)[0] == [[2, 4], [9, 12]]
    assert scored(with_defaults, live, feed={"temperature": Constant(0)})[0] == [[0, 0], [0, 0]]


def test_the_pages_of_a_model_show_its_defaults(with_defaults):
    page = with_defaults.describe()
    assert "temperature: float32 (), in Spark one float for all rows, by default 1.5\n" in page
    assert "label: string (), in Spark one string for all rows, by default 'é'\n" in page
    assert "feed={'x': 'x'}" in line_to_copy("m", with_defaults.signature)
    assert "tfpredict(struct(x))" in sql_to_copy("tfpredict", with_defaults.signature)
    assert '"default": 1.5' in with_defaults.signature.to_json()


VALUES = [
    *((-1.5, name) for name in ("float16", "bfloat16", "float32", "float64")),
    *((-100, name) for name in ("int8", "int16", "int32", "int64")),
    *((200, name) for name in ("uint8", "uint16", "uint32", "uint64")),
    *((value, "bool") for value in (True, False)),
    *((text, "string") for text in ("a", "")),
]


@pytest.mark.parametrize(("value", "dtype"), VALUES)
def test_every_form_of_a_value_is_read(value, dtype):
    import tensorflow as tf

    fields = tf.make_tensor_proto(value, dtype)
    content = fields.SerializeToString()
    assert default_of(TensorProto.FromString(content)) == value
    if dtype != "string":
        packed = tf.constant(value, dtype).numpy().tobytes()
        proto = TensorProto(dtype=fields.dtype, tensor_content=packed)
        assert default_of(proto) == value
        assert default_of(TensorProto(dtype=fields.dtype)) == 0


@pytest.mark.parametrize(
    "proto",
    [
        TensorProto(dtype=8),
        TensorProto(dtype=1, float_val=[1, 2]),
        TensorProto(dtype=1, tensor_content=b"abc"),
        TensorProto(dtype=7, string_val=[b"\xff"]),
        TensorProto(dtype=1, tensor_shape={"dim": [{"size": 1 << 40}]}, float_val=[1]),
        TensorProto(dtype=1, tensor_shape={"unknown_rank": True}, float_val=[1]),
    ],
)
def test_what_is_no_single_value_is_no_default(proto):
    assert default_of(proto) is None
