"""Features that a graph parses: read from the graph, bound to columns, built as TensorFlow does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tfspark import load
from tfspark.columns import columns_of
from tfspark.engine import EngineOptions, load_engine
from tfspark.errors import BindingError
from tfspark.features import FeatureSpec, features_in, parts_of
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.runner import score
from tfspark.saved_model.parsed_examples import with_features
from tfspark.saved_model_pb2 import GraphDef
from tfspark.schema import Binding, bind
from tfspark.signature import Signature, TensorSpec
from tfspark.tensors import RowProblem, encode, encode_good
from tfspark.testing import save_function

tf = pytest.importorskip("tensorflow")
v1 = tf.compat.v1

PARSED = {
    "age": tf.io.FixedLenFeature((), tf.float32),
    "city": tf.io.VarLenFeature(tf.string),
    "income": tf.io.FixedLenFeature((), tf.int64, -1),
    "size": tf.io.FixedLenFeature((2,), tf.float32, [0.5, 0.5]),
    "visits": tf.io.RaggedFeature(tf.int64),
    "words": tf.io.FixedLenSequenceFeature((), tf.string, allow_missing=True),
}
FEATURES = (
    FeatureSpec("age", "float32", (), is_required=True),
    FeatureSpec("city", "string", (None,), is_required=False),
    FeatureSpec("income", "int64", (), is_required=False),
    FeatureSpec("size", "float32", (2,), is_required=False),
    FeatureSpec("visits", "int64", (None,), is_required=False),
    FeatureSpec("words", "string", (None,), is_required=False),
)
FLOATS, LONGS, TEXTS = pa.list_(pa.float32()), pa.list_(pa.int64()), pa.list_(pa.string())


def outputs(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """Every parsed value as a dense tensor."""
    dense = {name: parsed[name] for name in ("age", "income", "size", "words")}
    dense["city"] = tf.sparse.to_dense(parsed["city"], default_value="-")
    return {**dense, "visits": parsed["visits"].to_tensor(-1)}


def answers(serialized: Any) -> dict[str, Any]:
    return outputs(tf.io.parse_example(serialized, PARSED))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelPackage:
    """A model whose signature parses Examples inside a function."""
    path = tmp_path_factory.mktemp("models") / "parsing"
    return load(save_function(path, answers, tf.TensorSpec((None,), tf.string, "examples")))


def columns(**arrays: Any) -> pa.RecordBatch:
    return pa.record_batch(arrays)


def bound(
    model: ModelPackage | Signature,
    batch: pa.RecordBatch,
    feed: Any = None,
    fetch: Any = None,
    **options: Any,
) -> Binding:
    signature = model if isinstance(model, Signature) else model.signature
    columns, chosen = columns_of(batch.schema), ScoreOptions(**options)
    return bind(signature, columns, feed=feed, fetch=fetch, options=chosen)


def examples(binding: Binding, batch: pa.RecordBatch) -> list[tuple[list[int], list[bytes]]]:
    """The rows and the Examples of each group."""
    chunks = {name: [batch.column(name)] for name in binding.columns}
    groups = encode(binding.inputs, chunks)
    return [
        (group.rows.tolist(), group.inputs[binding.inputs[0].spec.name].to_objects().tolist())
        for group in groups
    ]


def without(model: ModelPackage, features: Any) -> Signature:
    """The signature as if the graph showed other features."""
    (spec,) = model.signature.inputs
    return replace(model.signature, inputs=(replace(spec, features=features),))


# --- the graph ------------------------------------------------------------------------------------


def test_features_are_read_through_functions(model: ModelPackage) -> None:
    assert model.signature.inputs[0].features == FEATURES
    assert "feature income: int64 (), optional" in model.signature.describe()


def save_graph(path: Path, make: Callable[[Any], Mapping[str, Any]]) -> ModelPackage:
    """Save a model of TensorFlow 1 with an old signature of Examples."""
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, (None,), name="input_example_tensor")
        found = make(serialized)
        classes, scores = found["classes"], found["scores"]
        signature = v1.saved_model.classification_signature_def(serialized, classes, scores)
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature, "other": signature}
        )
        builder.save()
    return load(path)


def old_parser(serialized: Any, names: Any = ("a", "b")) -> Mapping[str, Any]:
    parsed = tf.raw_ops.ParseExample(
        serialized=tf.identity(serialized),
        names=[],
        sparse_keys=["tag"],
        dense_keys=list(names),
        dense_defaults=[tf.constant([], tf.float32), tf.constant([7], tf.int64)],
        sparse_types=[tf.string],
        dense_shapes=[(1,), (1,)],
    )
    a, b = parsed.dense_values
    return {"classes": tf.strings.as_string(b), "scores": a * 2.0}


def test_an_old_classify_signature(tmp_path: Path) -> None:
    found = save_graph(tmp_path / "old", old_parser)
    assert found.select("other").signature.inputs[0].features == (
        FeatureSpec("a", "float32", (1,), is_required=True),
        FeatureSpec("b", "int64", (1,), is_required=False),
        FeatureSpec("tag", "string", (None,), is_required=False),
    )
    batch = columns(a=[1.5, -2.0, None], b=[[4], None, None], tag=["x", "y", None])
    engine = load_engine(found.path, found.tags, found.signature, EngineOptions())
    (scored,) = score([batch], bound(found, batch), engine)
    assert scored["scores"].to_pylist() == [3.0, -4.0, None]
    assert scored["classes"].to_pylist() == ["4", "7", None]


def one_by_one(serialized: Any) -> dict[str, Any]:
    one = {
        "age": tf.io.FixedLenFeature((), tf.float32),
        "n": tf.io.FixedLenFeature((), tf.int64, 7),
    }
    parse = lambda text: tf.io.parse_single_example(text, one)  # noqa: E731
    kinds = {"age": tf.float32, "n": tf.int64}
    return dict(tf.map_fn(parse, tf.reshape(serialized, [-1]), fn_output_signature=kinds))


def vectorized(serialized: Any) -> dict[str, Any]:
    one = {
        "age": tf.io.FixedLenFeature((), tf.float32),
        "n": tf.io.FixedLenFeature((), tf.int64, 7),
    }
    parse = lambda text: tf.io.parse_single_example(text, one)  # noqa: E731
    return dict(tf.vectorized_map(parse, serialized))


def single(serialized: Any) -> dict[str, Any]:
    parsed = tf.raw_ops.ParseSingleExample(
        serialized=serialized,
        dense_defaults=[tf.constant([], tf.float32), tf.constant(7, tf.int64)],
        num_sparse=0,
        sparse_keys=[],
        dense_keys=["age", "n"],
        sparse_types=[],
        dense_shapes=[(), ()],
    )
    age, n = parsed.dense_values
    return {"age": age, "n": n}


@pytest.mark.parametrize(
    ("make", "shape"), [(one_by_one, (None,)), (vectorized, (None,)), (single, ())]
)
def test_an_example_that_is_parsed_alone(make: Any, shape: Any, tmp_path: Path) -> None:
    found = load(save_function(tmp_path / "model", make, tf.TensorSpec(shape, tf.string, "text")))
    assert found.signature.inputs[0].features == (
        FeatureSpec("age", "float32", (), is_required=True),
        FeatureSpec("n", "int64", (), is_required=False),
    )
    batch = columns(age=[1.5, -2.0, None], n=[None, 4, None])
    engine = load_engine(found.path, found.tags, found.signature, EngineOptions())
    (scored,) = score([batch], bound(found, batch, fetch={"age": "y", "n": "m"}), engine)
    assert scored["y"].to_pylist() == [1.5, -2.0, None]
    assert scored["m"].to_pylist() == [7, 4, None]


def test_what_an_iteration_changes_is_not_the_input(tmp_path: Path) -> None:
    """A loop whose second iteration parses another text than that of the input."""

    def make(serialized: Any) -> dict[str, Any]:
        one = {"age": tf.io.FixedLenFeature((), tf.float32, 0.0)}

        def step(at: Any, texts: Any, ages: Any) -> Any:
            parsed = tf.io.parse_example(texts, one)
            return at + 1, tf.strings.join([texts, ""]), ages + parsed["age"]

        start = (0, serialized, tf.zeros(tf.shape(serialized)))
        return {"y": tf.while_loop(lambda at, *_: at < 2, step, start)[2]}

    found = load(save_function(tmp_path / "model", make, tf.TensorSpec((None,), tf.string, "text")))
    assert found.signature.inputs[0].features is None


def test_a_function_that_calls_itself_ends() -> None:
    """Each of many calls has a node with many inputs."""
    graph = GraphDef()
    body = graph.library.function.add()
    body.signature.name = "f"
    body.signature.output_arg.add(name="y")
    body.ret["y"] = "wide:output:0"
    body.node_def.add(name="wide", op="Pack", input=["x"] * 20_000 + ["call:output:0"])
    for nodes in (graph.node, body.node_def):
        nodes.add(name="call", op="PartitionedCall").attr["f"].func.name = "f"
    graph.node.add(name="parser", op="ParseExample", input=["x"])
    given = TensorSpec("x", "string", (None,), "x:0")
    signature = Signature("s", (given,), (TensorSpec("y", "float32", (None,), "call:0"),))
    assert with_features([signature], graph) == (signature,)


def test_names_that_are_no_constants_stay_unknown(tmp_path: Path) -> None:
    names = lambda: [v1.placeholder_with_default("a", ()), "b"]  # noqa: E731
    found = save_graph(tmp_path / "open", lambda given: old_parser(given, names()))
    assert found.signature.inputs[0].features == ()


def test_texts_that_are_changed_are_not_the_input(tmp_path: Path) -> None:
    changed = lambda given: old_parser(tf.io.decode_base64(given))  # noqa: E731
    found = save_graph(tmp_path / "changed", changed)
    assert found.signature.inputs[0].features is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("x", ("x", "")),
        ("x.a", ("x", "a")),
        ("x.a.b", ("x", "a.b")),
        ("x.y", ("x.y", "")),
        ("x.y.a", ("x.y", "a")),
        ("x.", ("x.", "")),
        ("z.a", ("z.a", "")),
    ],
)
def test_a_key_is_an_input_and_a_feature(key: str, expected: tuple[str, str]) -> None:
    assert parts_of(key, ["x", "x.y"]) == expected
    assert features_in({key: 1}, "x", ["x", "x.y"]) == (
        {expected[1]: 1} if expected[0] == "x" and expected[1] else {}
    )


# --- the columns ----------------------------------------------------------------------------------


def test_features_take_the_columns_with_their_names(model: ModelPackage) -> None:
    batch = columns(age=[1.0], income=[2], city=["a"], other=[1.0])
    binding = bound(model, batch)
    assert binding.columns == ("age", "city", "income")
    assert binding.rounded == ("column 'age' double → float32",)
    assert "do not have them: 'size', 'visits', 'words'" in " ".join(binding.warnings)


def test_feed_names_features(model: ModelPackage) -> None:
    batch = columns(years=[1.0], income=[2], other=["a"])
    binding = bound(model, batch, {"examples.age": "YEARS", "examples.city": "other"})
    assert binding.columns == ("years", "other", "income")


def test_a_column_of_serialized_examples_still_feeds(model: ModelPackage) -> None:
    for batch in (columns(examples=[b""], age=[1.0]), columns(x=[b""], city=["a"], age=[1.0])):
        binding = bound(model, batch)
        assert binding.columns == (batch.schema.names[0],)
        assert not binding.inputs[0].features


@pytest.mark.parametrize(
    ("feed", "options", "messages"),
    [
        (
            None,
            {},
            ["no column 'age' for its feature 'examples.age' of float. Did you mean 'agee'"],
        ),
        ({"examples.aeg": "agee"}, {}, ["no feature 'aeg'", "Did you mean 'age'"]),
        ({"examples.age": "city"}, {}, ["'examples.age': expected float, found column 'city'"]),
        ({"examples.age": "ag"}, {}, ["there is no column 'ag'", "Did you mean 'agee'"]),
        ({"examples.age": ["agee", "agee"]}, {}, ["takes one column"]),
        ({"examples.income": "agee"}, {}, ["whose values may have fractions", "narrow=True"]),
        ({"examples": "city", "examples.age": "agee"}, {}, ["both the input and its features"]),
        ({"examples.age": "agee"}, {"on_null": {"examples": b""}}, ["on_null fills the features"]),
        ({"examples.age": "agee"}, {"on_null": {"examples.age": "x"}}, ["does not fit column"]),
        ({"example.age": "agee"}, {}, ["not an input of the signature", "Did you mean 'examples'"]),
    ],
)
def test_mismatches_are_listed(
    model: ModelPackage, feed: Any, options: dict[str, Any], messages: list[str]
) -> None:
    with pytest.raises(BindingError) as caught:
        bound(model, columns(agee=[1.5], city=["a"], n=[1]), feed, **options)
    for message in messages:
        assert message in str(caught.value)


def test_without_features_in_the_graph_columns_decide(model: ModelPackage) -> None:
    batch = columns(
        age=pa.array([1.5], pa.float64()),
        big=pa.array([3], pa.decimal128(4, 1)),
        flag=[True],
        name=["a"],
        raw=pa.array([[b"x"]], pa.list_(pa.binary())),
    )
    feed = {f"examples.{name}": name for name in batch.schema.names}
    kinds = ["float32", "float32", "int64", "string", "string"]
    for signature in (without(model, None), without(model, ())):
        features = bound(signature, batch, feed).inputs[0].features
        assert [one.spec.dtype for one in features] == kinds
    with pytest.raises(BindingError, match="2 columns fit"):
        bound(without(model, ()), columns(a=["x"], b=["y"]))


# --- the Examples ---------------------------------------------------------------------------------


def reference(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """TensorFlow's answers for Examples that TensorFlow's own classes make."""
    kinds = {float: ("float_list", "FloatList"), int: ("int64_list", "Int64List")}

    def feature(value: Any) -> Any:
        values = value if isinstance(value, list) else [value]
        name, kind = kinds.get(type(values[0]) if values else int, ("bytes_list", "BytesList"))
        return tf.train.Feature(**{name: getattr(tf.train, kind)(value=values)})

    given = [{key: value for key, value in row.items() if value is not None} for row in rows]
    made = [
        tf.train.Example(
            features=tf.train.Features(feature={key: feature(one) for key, one in row.items()})
        )
        for row in given
    ]
    return answers([one.SerializeToString() for one in made])


def test_answers_are_those_of_tensorflow(model: ModelPackage) -> None:
    rows = [
        {"age": 1.5, "income": 3, "city": b"a", "size": [1.0, 2.0], "visits": [1, 1 << 40]},
        {"age": -2.0, "income": None, "city": None, "size": None, "words": [b"", "ü".encode()]},
        {"age": 0.0, "income": -(1 << 62), "city": b"", "size": [0.0, -1.0], "visits": []},
    ]
    names = ["age", "income", "city", "size", "visits", "words"]
    types = [pa.float64(), pa.int64(), pa.string(), FLOATS, LONGS, pa.list_(pa.binary())]
    lists = zip(names, types, strict=True)
    batch = columns(
        **{name: pa.array([row.get(name) for row in rows], kind) for name, kind in lists}
    )
    ((order, made),) = examples(bound(model, batch), batch)
    assert order == [0, 1, 2]
    expected, found = reference(rows), answers(made)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_numbers_are_converted_and_checked(model: ModelPackage) -> None:
    batch = columns(
        age=pa.array([1, 2, 3, 4], pa.int64()),
        income=pa.array([True, None, False, True]),
        size=pa.array([[1, 2], None, [1e300, 0], [1, 2]], pa.list_(pa.float64())),
    )
    bad: list[RowProblem] = []
    chunks = {name: [batch.column(name)] for name in batch.schema.names}
    (group,) = encode_good(bound(model, batch).inputs, chunks, bad.append)
    assert group.rows.tolist() == [0, 1, 3]
    assert [(one.rows.tolist(), one.first.code, one.first.column) for one in bad] == [
        ([2], "OUT_OF_RANGE", "size")
    ]
    found = answers(group.inputs["examples"].to_objects())
    assert found["age"].numpy().tolist() == [1, 2, 4]
    assert found["income"].numpy().tolist() == [1, -1, 1]
    assert found["size"].numpy().tolist() == [[1, 2], [0.5, 0.5], [1, 2]]


def test_a_wrong_length_is_a_bad_row(model: ModelPackage) -> None:
    batch = columns(age=[1.0, 1.0], size=pa.array([None, [1.0]], FLOATS))
    with pytest.raises(RowProblem) as caught:
        examples(bound(model, batch), batch)
    assert caught.value.rows.tolist() == [1]
    assert caught.value.first.code == "WRONG_SHAPE"


def test_nulls(model: ModelPackage) -> None:
    batch = columns(
        age=pa.array([1.0, None, 2.0, None], pa.float32()),
        city=pa.array([["a"], None, ["b", None], []], TEXTS),
    )
    ((rows, made),) = examples(bound(model, batch), batch)
    assert rows == [0, 3]  # row 1 has no feature, and row 2 a null inside an array
    assert [sorted(one.features.feature) for one in map(tf.train.Example.FromString, made)] == [
        ["age", "city"],
        ["city"],
    ]
    fills = {"examples.age": 9, "examples.city": "z"}
    ((rows, made),) = examples(bound(model, batch, on_null=fills), batch)
    assert rows == [0, 1, 2, 3]
    found = answers(made)
    assert found["age"].numpy().tolist() == [1, 9, 2, 9]
    assert found["city"].numpy().tolist() == [
        [b"a", b"-"],
        [b"-", b"-"],
        [b"b", b"z"],
        [b"-", b"-"],
    ]
    with pytest.raises(RowProblem) as caught:
        examples(bound(model, batch, on_null="error"), batch)
    assert caught.value.rows.tolist() == [1, 3]
    assert caught.value.first.code == "NULL_INPUT"


def test_nested_arrays_are_flattened(tmp_path: Path) -> None:
    parsed = {"m": tf.io.FixedLenFeature((2, 2), tf.int64)}
    spec = tf.TensorSpec((None,), tf.string, "examples")
    path = save_function(tmp_path, lambda examples: tf.io.parse_example(examples, parsed), spec)
    for kind in (pa.list_(LONGS), LONGS):
        value = [[1, 2], [3, 4]] if kind != LONGS else [1, 2, 3, 4]
        batch = columns(m=pa.array([value, None, value], kind))
        ((rows, made),) = examples(bound(load(path), batch), batch)
        assert rows == [0, 2]
        assert tf.io.parse_example(made, parsed)["m"].numpy()[1].tolist() == [[1, 2], [3, 4]]
