"""Shapes computed from a graph, compared with TensorFlow's own inference and its answers."""

from __future__ import annotations

import inspect
import itertools
import shutil

import numpy as np
import pytest

from tfspark.engine import EngineOptions, load_engine
from tfspark.package import load
from tfspark.saved_model.graph_shapes import GraphShapes
from tfspark.saved_model.shape_rules import RULES
from tfspark.saved_model_pb2 import GraphDef, SavedModel
from tfspark.signature import TensorSpec
from tfspark.testing import save_function

tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1

SHAPES = [None, (), (None,), (3,), (1,), (None, 3), (2, 3), (None, None), (1, 3), (None, 1, 3)]
FLOATS, WHOLE, TEXT, TRUTH = tf.float32, tf.int64, tf.string, tf.bool


def same(names):
    return {name: getattr(tf.raw_ops, name) for name in names.split()}


ONE_OPERAND = {
    FLOATS: same(
        "StopGradient PreventGradient Snapshot Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh "
        "Softplus Softsign Softmax LogSoftmax Abs Neg Sign Square Sqrt Rsqrt Exp Expm1 "
        "Log Log1p Inv Reciprocal Erf Round Rint Floor Ceil Sin Cos Tan Asin Acos Atan "
        "Sinh Cosh IsNan IsInf IsFinite ZerosLike OnesLike Identity AsString"
    )
    | {
        "Cast": lambda x: tf.raw_ops.Cast(x=x, DstT=tf.int32),
        "CheckNumerics": lambda x: tf.raw_ops.CheckNumerics(tensor=x, message=""),
        "ClipByValue": lambda x: tf.raw_ops.ClipByValue(
            t=x, clip_value_min=0.0, clip_value_max=1.0
        ),
        "BiasAdd": lambda x: tf.raw_ops.BiasAdd(value=x, bias=v1.placeholder(FLOATS, (3,))),
        "PlaceholderWithDefault": lambda x: v1.placeholder_with_default(x, x.shape),
        "EnsureShape": lambda x: tf.raw_ops.EnsureShape(input=x, shape=(None, 3)),
        "ArgMax": lambda x: tf.raw_ops.ArgMax(input=x, dimension=-1),
        "ArgMin": lambda x: tf.raw_ops.ArgMin(input=x, dimension=0),
        "Sum": lambda x: tf.raw_ops.Sum(input=x, axis=[0, -1]),
        "Mean": lambda x: tf.raw_ops.Mean(input=x, axis=-1, keep_dims=True),
        "Max": lambda x: tf.raw_ops.Max(input=x, axis=[1], keep_dims=False),
        "Min": lambda x: tf.raw_ops.Min(input=x, axis=0),
        "Prod": lambda x: tf.raw_ops.Prod(input=x, axis=[]),
        "ExpandDims": lambda x: tf.raw_ops.ExpandDims(input=x, axis=-1),
        "ExpandDims at 1": lambda x: tf.raw_ops.ExpandDims(input=x, axis=1),
        "Squeeze": lambda x: tf.raw_ops.Squeeze(input=x),
        "Squeeze at 1": lambda x: tf.raw_ops.Squeeze(input=x, axis=[1]),
        "Reshape": lambda x: tf.raw_ops.Reshape(tensor=x, shape=[-1, 3]),
        "Reshape flat": lambda x: tf.raw_ops.Reshape(tensor=x, shape=[-1]),
        "Reshape rows": lambda x: tf.reshape(x, tf.stack([tf.shape(x)[0], 3])),
        "Gather": lambda x: tf.raw_ops.Gather(params=x, indices=v1.placeholder(WHOLE, (None, 2))),
        "GatherV2": lambda x: tf.gather(x, v1.placeholder(WHOLE, (None,))),
        "GatherV2 at 1": lambda x: tf.gather(x, v1.placeholder(WHOLE, (None,)), axis=1),
        "MatMul": lambda x: tf.raw_ops.MatMul(a=x, b=v1.placeholder(FLOATS, (3, 5))),
        "MatMul turned": lambda x: tf.raw_ops.MatMul(
            a=v1.placeholder(FLOATS, (7, 2)), b=x, transpose_a=True, transpose_b=True
        ),
    },
    TRUTH: same("LogicalNot")
    | {
        "All": lambda x: tf.raw_ops.All(input=x, axis=[0]),
        "Any": lambda x: tf.raw_ops.Any(input=x, axis=0),
    },
    TEXT: same(
        "StringLower StringUpper StringStrip StringLength StringToNumber DecodeBase64 EncodeBase64"
    )
    | {
        "StringToHashBucket": lambda x: tf.raw_ops.StringToHashBucket(
            string_tensor=x, num_buckets=9
        ),
        "StringToHashBucketFast": lambda x: tf.strings.to_hash_bucket_fast(x, 9),
        "StringToHashBucketStrong": lambda x: tf.strings.to_hash_bucket_strong(x, 9, [1, 2]),
        "StaticRegexReplace": lambda x: tf.strings.regex_replace(x, "a", "b"),
        "RegexReplace": lambda x: tf.raw_ops.RegexReplace(input=x, pattern="a", rewrite="b"),
        "StaticRegexFullMatch": lambda x: tf.strings.regex_full_match(x, "a"),
        "RegexFullMatch": lambda x: tf.raw_ops.RegexFullMatch(input=x, pattern="a"),
    },
}
TWO_OPERANDS = {
    FLOATS: same(
        "Add AddV2 Sub Mul MulNoNan Div RealDiv DivNoNan FloorDiv FloorMod Mod "
        "Maximum Minimum Pow SquaredDifference Atan2 Greater GreaterEqual Less LessEqual"
    ),
    WHOLE: same("TruncateDiv TruncateMod"),
    TRUTH: same("LogicalAnd LogicalOr"),
}


def inferred(*tensors):
    """Return our shapes for tensors of TensorFlow's graph, without its `_output_shapes`."""
    graph = tensors[0].graph.as_graph_def()
    shapes = GraphShapes(GraphDef.FromString(graph.SerializeToString()))
    return [shapes.complete(TensorSpec("x", "float32", None, one.name)).shape for one in tensors]


def own(tensor):
    """Return the shape that TensorFlow infers."""
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def agree(ours, theirs):
    """Whether our shape is TensorFlow's, or leaves some or all of its sizes open."""
    if ours is None or theirs is None:
        return ours is None
    return len(ours) == len(theirs) and all(
        one in (None, other) for one, other in zip(ours, theirs, strict=True)
    )


def made(make, *operands):
    """Return an operation's result on placeholders; `None` when TensorFlow refuses them."""
    names = inspect.signature(make).parameters
    try:
        return make(**dict(zip(names, operands, strict=False)))
    except ValueError:
        return None


def cases(table):
    return [
        pytest.param(dtype, make, id=name)
        for dtype, makers in table.items()
        for name, make in makers.items()
    ]


@pytest.mark.parametrize(("dtype", "make"), cases(ONE_OPERAND))
def test_a_rule_of_one_operand_is_tensorflows(dtype, make):
    known = 0
    for shape in SHAPES:
        with tf.Graph().as_default():
            found = made(make, v1.placeholder(dtype, shape))
            if found is not None:
                (ours,) = inferred(found)
                assert agree(ours, own(found)), f"{shape}: {ours}, TensorFlow {own(found)}"
                known += ours is not None
    assert known > 1


@pytest.mark.parametrize(("dtype", "make"), cases(TWO_OPERANDS))
def test_a_rule_of_two_operands_is_tensorflows(dtype, make):
    for left, right in itertools.product(SHAPES, SHAPES):
        with tf.Graph().as_default():
            found = made(make, v1.placeholder(dtype, left), v1.placeholder(dtype, right))
            if found is not None:
                assert inferred(found) == [own(found)], (left, right)


def test_every_rule_is_held_to_tensorflow():
    tables = (*ONE_OPERAND.values(), *TWO_OPERANDS.values())
    tested = {name.split()[0] for table in tables for name in table}
    sources = {"Placeholder", "VariableV2", "Const", "ReadVariableOp"}
    assert set(RULES) == tested | sources | {"LookupTableFind", "LookupTableFindV2"}


def test_sources_of_shapes_and_tables():
    with tf.Graph().as_default():
        x = v1.placeholder(TEXT, (None, 2))
        table = tf.raw_ops.HashTableV2(key_dtype=TEXT, value_dtype=WHOLE)
        old_table = tf.raw_ops.HashTable(key_dtype=TEXT, value_dtype=WHOLE)
        other = tf.raw_ops.MutableHashTableOfTensorsV2(
            key_dtype=TEXT, value_dtype=WHOLE, value_shape=[4]
        )
        find = tf.raw_ops.LookupTableFindV2
        variable = v1.get_variable("v", (2, 3), use_resource=True)
        found = [
            v1.placeholder(FLOATS),
            tf.constant([[1.0, 2.0]]),
            v1.get_variable("old", (5,), use_resource=False),
            variable.read_value(),
            find(table_handle=table, keys=x, default_value=tf.constant(0, WHOLE)),
            tf.raw_ops.LookupTableFind(
                table_handle=old_table, keys=x, default_value=tf.constant(0, WHOLE)
            ),
            find(table_handle=other, keys=x, default_value=tf.constant([0] * 4, WHOLE)),
        ]
        assert inferred(*found) == [
            *(None, (1, 2), (5,), (2, 3)),
            *((None, 2), (None, 2), None),
        ]


def test_what_only_a_run_can_tell_stays_unknown():
    with tf.Graph().as_default():
        x, size = v1.placeholder(FLOATS, (None, 3)), v1.placeholder(tf.int32, (None,))
        found = [
            tf.reshape(x, size),
            tf.reduce_sum(x, size),
            tf.raw_ops.ExpandDims(input=x, axis=size[0]),
            tf.gather(x, v1.placeholder(WHOLE, (None,)), axis=size[0]),
            tf.where(x > 0),
            v1.py_func(lambda one: one, [x], FLOATS),
            tf.split(x, 3, axis=1)[1],
            tf.raw_ops.Squeeze(input=x),
        ]
        assert inferred(*found) == [None] * len(found)


@pytest.mark.parametrize(("version", "shape"), [(21, None), (22, ())])
def test_an_empty_shape_of_an_old_placeholder_says_nothing(version, shape):
    graph = GraphDef()
    graph.versions.producer = version
    graph.node.add(name="x", op="Placeholder").attr["shape"].shape.SetInParent()
    assert GraphShapes(graph).complete(TensorSpec("x", "float32", None, "x:0")).shape == shape


def test_a_cycle_and_a_long_chain_end():
    graph = GraphDef()
    graph.node.add(name="a", op="Add", input=["b", "c"])
    graph.node.add(name="b", op="Identity", input=["a"])
    graph.node.add(name="n0", op="Const").attr["value"].tensor.tensor_shape.SetInParent()
    for number in range(1, 5000):
        graph.node.add(name=f"n{number}", op="Relu", input=[f"n{number - 1}"])
    shapes = GraphShapes(graph)
    found = [
        shapes.complete(TensorSpec("x", "float32", None, name)).shape
        for name in ("a:0", "b:0", "n4999:0", "n50:0", "nowhere:0", "a:no", "")
    ]
    assert found == [None, None, None, (), None, None, None]


# --- whole models ---------------------------------------------------------------------------------


def edited(path, *, types=False, said=False):
    """Remove shapes and types from a SavedModel's signatures, and shapes from its graph."""
    file = path / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    (graph,) = model.meta_graphs
    for signature in graph.signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            info.ClearField("tensor_shape")
            if types:
                info.ClearField("dtype")
    functions = [function.node_def for function in graph.graph_def.library.function]
    for node in itertools.chain(graph.graph_def.node, *functions):
        if said:
            node.attr.pop("_output_shapes", None)
    file.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("types", [False, True])
def test_a_signature_without_shapes_has_those_of_its_graph(linear_model, tmp_path, types, said):
    path = shutil.copytree(linear_model, tmp_path / "linear")
    wanted = load(path)
    found = load(edited(path, types=types, said=said))
    assert found.signature == wanted.signature
    assert "outputs: float32 (None, 1), in Spark float" in found.describe()
    engine = load_engine(found.path, found.tags, found.signature, EngineOptions())
    answer = engine.run({"inputs": np.array([[1, 2], [3, 4]], np.float32)})
    assert answer["outputs"].tolist() == [[3.0], [5.0]]


def test_what_the_graph_does_not_tell_is_described_as_unknown(tmp_path):
    def serve(x):
        return {"known": tf.nn.softmax(x), "unknown": tf.numpy_function(np.copy, [x], tf.float32)}

    path = save_function(tmp_path / "m", serve, tf.TensorSpec((None, 2), tf.float32, name="x"))
    lines = load(edited(path)).describe().splitlines()
    assert [line.strip() for line in lines if "known" in line] == [
        "known: float32 (None, 2), in Spark array<float>",
        "unknown: float32 unknown rank, in Spark float or arrays of it",
    ]


def test_a_shape_that_the_signature_states_is_kept(tmp_path):
    path = save_function(
        tmp_path / "m", lambda x: {"y": x * 2}, tf.TensorSpec((None, 2), tf.float32, name="x")
    )
    file = path / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    signature = model.meta_graphs[0].signature_def["serving_default"]
    signature.inputs["x"].ClearField("tensor_shape")
    signature.outputs["y"].tensor_shape.dim[1].size = -1
    file.write_bytes(model.SerializeToString())
    found = load(path).signature
    assert (found.inputs[0].shape, found.outputs[0].shape) == ((None, 2), (None, None))
