import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark.errors import BindingError, UsageError
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


def test_an_info_without_a_shape_is_of_unknown_rank(tensor_info):
    message = proto(empty=tensor_info("a:0", 1, ()), left_out=tensor_info("b:0", 1, ()))
    message.inputs["left_out"].ClearField("tensor_shape")
    empty, left_out = Signature.from_proto("s", message).inputs
    assert (empty.shape, left_out.shape) == ((), None)


def test_a_reference_to_a_variable_has_the_type_of_its_values(tensor_info):
    (spec,) = Signature.from_proto("s", proto(x=tensor_info("x:0", 101))).inputs
    assert spec.dtype == "float32"


def test_an_info_without_a_tensor_name_is_composite(tensor_info):
    (spec,) = Signature.from_proto("s", proto(x=tensor_info("", 1))).inputs
    assert spec.dtype == "composite"


@given(st.builds(Signature, st.text(), SPECS, SPECS))
def test_json_and_pickle_round_trips(signature):
    assert "\n" not in signature.to_json()
    assert json.loads(signature.to_json())["name"] == signature.name
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


# --- output shapes given by the user --------------------------------------------------------------


def signature(*inputs, **outputs):
    return Signature(
        "score",
        tuple(TensorSpec(f"x{index}", "float32", shape) for index, shape in enumerate(inputs)),
        tuple(TensorSpec(name, "float32", shape) for name, shape in outputs.items()),
    )


@pytest.mark.parametrize(
    ("own", "given", "shape"),
    [
        (None, (), (None,)),
        (None, (3, None), (None, 3, None)),
        (None, [3], (None, 3)),
        ((None, None), (3,), (None, 3)),
        ((8, None, 2), (3, 2), (8, 3, 2)),
        ((None, 3), (None,), (None, 3)),
        ((None, 3), (3,), (None, 3)),
        ((None, None), (0,), (None, 0)),
    ],
)
def test_a_given_row_shape_completes_an_output(own, given, shape):
    before = signature((None, 2), y=own, z=None)
    after = before.with_output_shapes({"y": given})
    assert after == signature((None, 2), y=shape, z=None)


@pytest.mark.parametrize("own", [None, (None,)])
def test_without_a_row_dimension_the_given_shape_is_the_whole(own):
    scalars = signature((), (), y=own)
    assert scalars.is_row_by_row
    assert scalars.with_output_shapes({"y": (3,)}) == signature((), (), y=(3,))


@pytest.mark.parametrize(
    ("inputs", "row_by_row"),
    [(((), ()), True), ((), False), (((), (None,)), False), ((None,), False)],
)
def test_only_scalars_are_fed_row_by_row(inputs, row_by_row):
    assert signature(*inputs).is_row_by_row is row_by_row


def test_no_shapes_leave_a_signature_as_it_is():
    assert signature((None,), y=None).with_output_shapes({}) == signature((None,), y=None)


def test_all_shapes_that_do_not_fit_are_told_at_once():
    own = signature((None, 2), label=(None, 3), score=(None,), rest=None)
    with pytest.raises(BindingError) as caught:
        own.with_output_shapes({"labl": (), "label": (4,), "score": (1,), "rest": (2,)})
    assert str(caught.value).splitlines() == [
        "The output shapes do not fit signature 'score': 3 mismatches",
        "  - output_shapes names 'labl', which is not an output of the signature "
        "('label', 'score', 'rest'). Did you mean 'label'?",
        "  - output label: float32 (None, 3): expected (None, 3), found (None, 4)",
        "  - output score: float32 (None,): expected (None,), found (None, 1)",
        "Hint: give each output the shape of one row, without the batch dimension: "
        "() for a number, (3,) for a vector of three, None for a size that varies.",
    ]


def test_without_a_row_dimension_the_whole_shape_has_to_fit():
    with pytest.raises(BindingError, match=r"expected \(2,\), found \(3,\)"):
        signature((), y=(2,)).with_output_shapes({"y": (3,)})


@pytest.mark.parametrize("given", [3, "3", (3.0,), (-1,), (True,), ("3",), None, {3}])
def test_what_is_no_shape_is_refused(given):
    with pytest.raises(UsageError, match="output_shapes") as caught:
        signature((None,), y=None).with_output_shapes({"y": given})
    assert f"found:    {given!r}" in str(caught.value)
