import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark.saved_model_pb2 import SignatureDef
from tfspark.signature import Signature, TensorSpec, format_shape

DIMENSION = st.none() | st.integers(0, 2**40)
SHAPE = st.none() | st.lists(DIMENSION, max_size=5).map(tuple)
SPEC = st.builds(TensorSpec, st.text(), st.sampled_from(["float32", "string"]), SHAPE, st.text())
SPECS = st.lists(SPEC, max_size=3).map(tuple)


def proto(**infos):
    message = SignatureDef()
    for name, info in infos.items():
        message.inputs[name].CopyFrom(info)
    return message


def test_a_signature_is_read_from_its_message(tensor_info):
    message = proto(b=tensor_info("b:0", 9, (-1, 28, 28)), a=tensor_info("a:0", 7, ()))
    message.outputs["y"].CopyFrom(tensor_info("y:0", 1, None))
    assert Signature.from_proto("score", message) == Signature(
        "score",
        (TensorSpec("a", "string", (), "a:0"), TensorSpec("b", "int64", (None, 28, 28), "b:0")),
        (TensorSpec("y", "float32", None, "y:0"),),
    )


def test_an_info_without_a_tensor_name_is_composite(tensor_info):
    (spec,) = Signature.from_proto("s", proto(x=tensor_info("", 1))).inputs
    assert spec.dtype == "composite"


@given(st.builds(Signature, st.text(), SPECS, SPECS))
def test_json_and_pickle_round_trips(signature):
    assert Signature.from_json(signature.to_json()) == signature
    assert "\n" not in signature.to_json()
    json.loads(signature.to_json())
    again = pickle.loads(pickle.dumps(signature))
    assert again == signature
    assert hash(again) == hash(signature)


@pytest.mark.parametrize(
    ("shape", "row_shape", "row_size", "batch", "batched"),
    [
        ((None, 2), (2,), 2, None, True),
        ((None,), (), 1, None, True),
        ((8, 2, 3), (2, 3), 6, 8, True),
        ((None, None, 3), (None, 3), None, None, True),
        ((None, 0), (0,), 0, None, True),
        ((), (), 1, None, False),
        (None, None, None, None, True),
    ],
)
def test_what_a_shape_means(shape, row_shape, row_size, batch, batched):
    spec = TensorSpec("x", "float32", shape)
    assert (spec.row_shape, spec.row_size) == (row_shape, row_size)
    assert (spec.batch_dimension, spec.is_batched) == (batch, batched)


@pytest.mark.parametrize(
    ("dtype", "shape", "sql"),
    [
        ("float32", (None, 2), "array<float>"),
        ("float32", (None, 1), "float"),
        ("int64", (None,), "bigint"),
        ("uint8", (None, 2, None), "array<array<smallint>>"),
        ("string", None, "string or arrays of it"),
        ("composite", (None,), "no column"),
        ("float32", (), "no column"),
    ],
)
def test_a_spec_names_its_spark_type(dtype, shape, sql):
    assert TensorSpec("x", dtype, shape).sql == sql


def test_describe_shows_shapes_and_spark_types():
    signature = Signature(
        "serving_default",
        (TensorSpec("inputs", "float32", (None, 2)),),
        (TensorSpec("outputs", "float32", (None, 1)), TensorSpec("tags", "string", None)),
    )
    assert signature.describe().splitlines() == [
        "signature 'serving_default'",
        "  inputs:",
        "    inputs: float32 (None, 2), in Spark array<float>",
        "  outputs:",
        "    outputs: float32 (None, 1), in Spark float",
        "    tags: string unknown rank, in Spark string or arrays of it",
    ]
    assert Signature("s", (), ()).describe().count("none") == 2


def test_a_shape_is_written_as_tensorflow_writes_it():
    assert format_shape(()) == "()"
    assert format_shape((None,)) == "(None,)"
    assert format_shape((None, 2)) == "(None, 2)"
