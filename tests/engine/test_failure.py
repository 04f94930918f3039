"""Failures that are not about a row, when a model is loaded or run, with both engines."""

from __future__ import annotations

import shutil
from itertools import chain
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from tfspark import package
from tfspark.columns import columns_of
from tfspark.engine.failure import failure
from tfspark.engine.protocol import CannotServeError, MachineError, OutOfMemoryError
from tfspark.errors import EngineError, InvalidModelError, RowError, TfsparkError
from tfspark.options import ScoreOptions
from tfspark.runner import score
from tfspark.schema import bind
from tfspark.testing import save_function

ENGINES = ["native", "tensorflow", "auto"]
X = {"x": np.array([1, 2], np.float32)}
ROWS = pa.record_batch({"x": pa.array([1, 2], pa.float32())})
NULL = ScoreOptions(on_error="null")


def save_graph(path, graph, **changes):
    """Write a graph of TensorFlow 1, and change the `TensorInfo` of some inputs or outputs."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        sides = graph()
        infos = [
            {name: v1.saved_model.utils.build_tensor_info(one) for name, one in side.items()}
            for side in sides
        ]
        for side in infos:
            for name in side.keys() & changes:
                changes[name](side[name])
        signature = v1.saved_model.build_signature_def(*infos, "tensorflow/serving/predict")
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return path


@pytest.fixture(scope="session")
def no_kernel(models):
    """A model whose operation has a kernel only for GPUs."""
    import tensorflow as tf

    def serve(x):
        reduce = tf.raw_ops.NcclAllReduce
        return {"y": reduce(input=x, reduction="sum", num_devices=1, shared_name="s")}

    spec = tf.TensorSpec((None,), tf.float32, name="x")
    return package.load(save_function(models / "no kernel", serve, spec))


@pytest.fixture(scope="session")
def no_operation(no_kernel, models):
    """A model with an operation that this TensorFlow does not know."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    folder = shutil.copytree(no_kernel.path, models / "no operation")
    file = folder / "saved_model.pb"
    model = SavedModel.FromString(file.read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    for node in chain(*(function.node_def for function in functions)):
        node.op = node.op.replace("NcclAllReduce", "OperationOfSomeoneElse")
    file.write_bytes(model.SerializeToString())
    return package.load(folder)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_kernel_is_named_and_no_row_is_blamed(no_kernel, open_engine, engine):
    live = open_engine(no_kernel, engine)
    with pytest.raises(CannotServeError, match="cannot run the operation 'NcclAllReduce'"):
        live.run(X)
    batch = pa.record_batch({"x": pa.array([1, 2], pa.float32())})
    binding = bind(no_kernel.signature, columns_of(batch.schema), fetch={"y": "z"})
    with pytest.raises(EngineError, match="'NcclAllReduce'") as caught:
        list(score(iter([batch]), binding, live))
    assert not isinstance(caught.value, RowError)
    assert "Hint: export the model without it" in str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_unknown_operation_is_named_at_the_load(no_operation, open_engine, engine):
    with pytest.raises(CannotServeError, match="operation 'OperationOfSomeoneElse'"):
        open_engine(no_operation, engine)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, EngineError) for code in (2, 3, 5, 6, 7, 11, 15)),
        (8, OutOfMemoryError),
        *((code, CannotServeError) for code in (1, 4, 9, 10, 12, 13, 14, 16)),
    ],
)
def test_only_what_a_value_can_cause_is_about_the_batch(code, kind):
    assert type(failure(code, "some message")) is kind


@pytest.mark.parametrize(
    "message",
    [
        "No OpKernel was registered to support Op 'Odd' used by {{node y}} with these attrs: []",
        "No registered 'Odd' OpKernel for 'CPU' devices compatible with node {{node y}}",
        "Could not find device for node: {{node y}} = Odd[T=DT_FLOAT]\nAll kernels registered",
        "Op type not registered 'Odd' in binary running on host.",
    ],
)
@pytest.mark.parametrize("code", [2, 3, 5])
def test_every_wording_names_the_operation(message, code):
    error = failure(code, message)
    assert isinstance(error, CannotServeError)
    assert "cannot run the operation 'Odd' of the model here" in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "ValueError: callback pyfunc_3 is not found",
        "Could not find callback with key=pyfunc_3 in the registry.",
        "Error while reading resource variable w from Container: localhost.",
        "Could not find variable w. This could mean that the variable has been deleted.",
        "x:0 is both fed and fetched.",
    ],
)
def test_a_python_function_a_variable_and_an_unfit_call_blame_no_row(message):
    assert isinstance(failure(5, message), MachineError)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("variables.data-00000-of-00001", lambda content: content[: len(content) // 2]),
        ("variables.data-00000-of-00001", lambda content: b"\xff" * len(content)),
        ("variables.data-00000-of-00001", lambda content: b""),
        ("variables.index", lambda content: content[:100]),
        ("variables.index", lambda content: b"\xff" * len(content)),
        ("variables.index", lambda content: b""),
    ],
)
def test_damaged_variables_are_named(linear, open_engine, tmp_path, engine, name, change):
    folder = shutil.copytree(linear.path, tmp_path / "m")
    file = folder / "variables" / name
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InvalidModelError, match=f"variables of the model at {folder} are damaged"):
        open_engine(package.load(folder), engine)


@pytest.mark.parametrize("engine", ["native", "tensorflow"])
def test_any_damage_is_a_typed_error_or_harmless(linear, open_engine, tmp_path, engine):
    random = Random(13)
    fed = {"inputs": np.ones((2, 2), np.float32)}
    for number in range(12):
        folder = shutil.copytree(linear.path, tmp_path / str(number))
        file = random.choice([*(folder / "variables").iterdir(), folder / "saved_model.pb"])
        content = bytearray(file.read_bytes())
        for _ in range(random.randrange(1, 4)):
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        file.write_bytes(content[: random.choice([None, random.randrange(len(content))])])
        try:
            found = open_engine(package.load(folder), engine).run(fed)
        except TfsparkError:
            continue
        assert found["outputs"].tolist() == [[4.0], [4.0]]


@pytest.mark.parametrize("engine", ["native", "auto"])
def test_a_placeholder_that_is_not_an_input_is_named_and_no_row_is_blamed(
    tmp_path, open_engine, engine
):
    import tensorflow as tf

    v1 = tf.compat.v1

    def graph():
        x, rate = v1.placeholder(tf.float32, (None,), "x"), v1.placeholder(tf.float32, (), "rate")
        return {"x": x}, {"y": x * rate}

    model = package.load(save_graph(tmp_path / "m", graph))
    binding = bind(model.signature, columns_of(ROWS.schema), options=NULL)
    with pytest.raises(EngineError, match="'rate', which is not an input of its signature"):
        list(score(iter([ROWS]), binding, open_engine(model, engine)))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_loop_over_a_row_without_elements_is_about_that_row(models, open_engine, engine):
    import tensorflow as tf

    def serve(x):
        empty = tf.raw_ops.TensorArrayV3(size=tf.shape(x)[1], dtype=tf.float32, dynamic_size=True)
        filled = tf.raw_ops.TensorArrayScatterV3(
            handle=empty[0], indices=tf.range(tf.shape(x)[1]), value=x[0], flow_in=empty[1]
        )
        found = tf.raw_ops.TensorArrayGatherV3(
            handle=empty[0], indices=tf.range(tf.shape(x)[1]), flow_in=filled, dtype=tf.float32
        )
        return {"y": tf.reduce_sum(tf.reshape(found, (1, -1)), 1)}

    spec = tf.TensorSpec((1, None), tf.float32, name="x")
    model = package.load(save_function(models / f"loop {engine}", serve, spec))
    lists = pa.list_(pa.float32())
    batch = pa.record_batch({"x": pa.array([[1, 2], [], [3]], lists)})
    binding = bind(model.signature, columns_of(batch.schema), options=NULL)
    (found,) = score(iter([batch]), binding, open_engine(model, engine), keep=[])
    assert found["y"].to_pylist() == [3.0, None, 3.0]


def test_a_type_that_only_the_signature_has_is_about_the_model(tmp_path, open_engine):
    import tensorflow as tf

    v1 = tf.compat.v1

    def graph():
        x = v1.placeholder(tf.float32, (None,), "x")
        return {"x": x}, {"y": x * 2, "z": tf.identity(x)}

    def as_integers(info):
        info.dtype = tf.int64.as_datatype_enum

    path = save_graph(tmp_path / "m", graph, y=as_integers)
    model = package.load(path)
    live = open_engine(model)
    columns = columns_of(ROWS.schema)
    good = bind(model.signature, columns, fetch={"z": "z"}, options=NULL)
    (found,) = score(iter([ROWS]), good, live)
    assert found["z"].to_pylist() == [1.0, 2.0]
    with pytest.raises(EngineError, match="output 'y' is not what its signature says") as caught:
        list(score(iter([ROWS]), bind(model.signature, columns, options=NULL), live))
    assert "expected: int64 (2,)\n  found:    float32 (2,)" in str(caught.value)
    with pytest.raises(EngineError, match="Input 'x' of the signature has another type"):
        open_engine(package.load(save_graph(tmp_path / "n", graph, x=as_integers)))


def test_names_with_and_without_an_index_are_one_tensor(tmp_path, open_engine):
    import tensorflow as tf

    def graph():
        x = tf.compat.v1.placeholder(tf.float32, (None,), "x")
        return {"x": x}, {"same": x, "y": x * 2}

    def without_index(info):
        info.name = info.name.partition(":")[0]

    model = package.load(save_graph(tmp_path / "m", graph, x=without_index))
    found = open_engine(model).run(X)
    assert [found["same"].tolist(), found["y"].tolist()] == [[1, 2], [2, 4]]
