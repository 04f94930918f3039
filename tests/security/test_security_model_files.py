"""Forged files of a model: reading them on the driver ends with a typed error."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from tests.security.allocations import least_peak
from tests.security.hostile_models import graph_with, write_model
from tfspark.errors import InvalidModelError, TfsparkError
from tfspark.package import load
from tfspark.saved_model_pb2 import AttrValue, SavedModel

pytestmark = pytest.mark.timeout(60)


def model_of(tmp_path, graph, *, text=False):
    path = write_model(tmp_path / "model" / "1")
    model = SavedModel(meta_graphs=[graph])
    (path / "saved_model.pb").write_bytes(model.SerializeToString())
    if text:
        (path / "saved_model.pb").unlink()
        (path / "saved_model.pbtxt").write_text(text_format.MessageToString(model))
    return path


# --- names of assets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../saved_model.pb",
        "a/../../../victim",
        "/etc/passwd",
        "",
        ".",
        "a//b",
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "n" * 256,
        "/".join(["d"] * 40),
    ],
    ids=ascii,
)
@pytest.mark.parametrize("text", [False, True])
def test_an_asset_outside_of_its_folder_is_refused(tmp_path, name, text):
    (tmp_path / "victim").write_text("secret")
    path = model_of(tmp_path, graph_with([name]), text=text)
    with pytest.raises(
        InvalidModelError, match="names an asset that is not in its folder"
    ) as caught:
        load(path)
    assert "found:    '" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_an_asset_in_a_folder_of_assets_is_fine(tmp_path):
    path = model_of(tmp_path, graph_with(["words/größe.txt"]))
    (path / "assets" / "words").mkdir()
    (path / "assets" / "words" / "größe.txt").touch()
    assert load(path).digest


def test_shards_that_are_not_there_are_counted_and_not_all_listed(tmp_path):
    path = model_of(tmp_path, graph_with())
    (path / "variables" / "variables.data-00000-of-00001").unlink()
    for total in range(99_000, 99_300):
        (path / "variables" / f"variables.data-00000-of-{total}").touch()
    with pytest.raises(InvalidModelError, match="98999 files are missing") as caught:
        load(path)
    assert len(str(caught.value)) < 2000


# --- messages in messages -------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [101, 5000, 1_000_000])
def test_groups_nested_deeply_are_refused(tmp_path, levels):
    path = write_model(tmp_path / "model" / "1")
    (path / "saved_model.pb").write_bytes(b"\x0b" * levels + b"\x0c" * levels)
    with pytest.raises(InvalidModelError):
        load(path)


@pytest.mark.parametrize("field", ["unknown", "meta_graphs", "library"])
@pytest.mark.parametrize("levels", [200, 20_000])
def test_text_nested_deeply_is_refused(tmp_path, field, levels):
    path = write_model(tmp_path / "model" / "1")
    (path / "saved_model.pb").unlink()
    text = f"{field} {{ " * levels + "} " * levels
    (path / "saved_model.pbtxt").write_text(text)
    with pytest.raises(InvalidModelError if levels > 1000 else TfsparkError):
        load(path)


# --- shapes in the graph --------------------------------------------------------------------------


def open_graph(*nodes, tensor="y:0"):
    """A graph whose output's shape depends on nodes: (name, operation, inputs, attributes)."""
    graph = graph_with()
    outputs = graph.signature_def["serving_default"].outputs["outputs"]
    outputs.ClearField("tensor_shape")
    outputs.name = tensor
    for name, op, inputs, attributes in nodes:
        node = graph.graph_def.node.add(name=name, op=op, input=inputs)
        for key, value in attributes.items():
            node.attr[key].CopyFrom(value)
    return graph


def constant(*values, sizes=None, content=None):
    tensor = AttrValue().tensor
    tensor.dtype = 9
    for size in (len(values),) if sizes is None else sizes:
        tensor.tensor_shape.dim.add(size=size)
    tensor.int64_val.extend(values)
    if content is not None:
        tensor.tensor_content = content
    return {"value": AttrValue(tensor=tensor)}


def reshape(**shape):
    values = shape.pop("values", ())
    return [
        ("y", "Reshape", ["x", "s"], {}),
        ("s", "Const", [], constant(*values, **shape)),
    ]


def tower(levels, op):
    """Each node uses the node below twice: 2^levels paths, or as many dimensions."""
    two = AttrValue(i=2)
    return [
        ("y", "Reshape", ["x", f"n{levels}"], {})
        if op == "Pack"
        else ("y", "Identity", [f"n{levels}"], {}),
        *((f"n{level}", op, [f"n{level - 1}"] * 2, {"N": two}) for level in range(1, levels + 1)),
        ("n0", "Const", [], constant(1, sizes=() if op == "Pack" else (2, 2, 2))),
    ]


@pytest.mark.parametrize(
    "graph",
    [
        open_graph(*reshape(values=[1], sizes=[1 << 50])),
        open_graph(*reshape(sizes=[1 << 40])),
        open_graph(*reshape(sizes=[(1 << 63) - 1])),
        open_graph(*reshape(values=[1] * 5, sizes=[-7])),
        open_graph(*reshape(sizes=[2], content=b"12345")),
        open_graph(*reshape(sizes=[1 << 40], content=bytes(8))),
        open_graph(
            ("y", "Reshape", ["x", "p"], {}), ("p", "Pack", [], {"N": AttrValue(i=1 << 62)})
        ),
        open_graph(("y", "Reshape", ["x", "i"], {}), ("i", "Identity", [], {})),
        open_graph(("y", "Identity", [], {})),
        open_graph(("y", "Identity", ["y"], {})),
        open_graph(("y", "Identity", ["x:" + "9" * 5000], {})),
        open_graph(("y", "Relu", ["x"], {}), tensor="y:" + "9" * 5000),
        open_graph(*tower(90, "Pack")),
        open_graph(*tower(40, "Gather")),
    ],
)
def test_a_graph_that_is_made_to_keep_a_reader_busy_says_nothing(tmp_path, graph):
    found = load(model_of(tmp_path, graph))
    assert found.signature.outputs[0].shape is None


def test_a_tower_of_sums_is_walked_once(tmp_path):
    found = load(model_of(tmp_path, open_graph(*tower(90, "Add"))))
    assert found.signature.outputs[0].shape == (2, 2, 2)


def test_functions_that_call_functions_twice_end(tmp_path):
    graph = open_graph(("y", "PartitionedCall", ["x"], {}))
    graph.graph_def.node[-1].attr["f"].func.name = "f0"
    for level in range(45):
        function = graph.graph_def.library.function.add()
        function.signature.name = f"f{level}"
        function.signature.input_arg.add(name="x")
        function.signature.output_arg.add(name="y")
        function.ret["y"] = "add:z:0"
        function.node_def.add(name="add", op="Add", input=["a:output:0", "b:output:0"])
        for name in "ab":
            call = function.node_def.add(name=name, op="PartitionedCall", input=["x"])
            call.attr["f"].func.name = f"f{level + 1}"
    assert load(model_of(tmp_path, graph)).signature.outputs[0].shape is None


def calls_of_one_function(nodes=0, arguments=1):
    """1000 signatures that each call the function; the result depends on its last argument."""
    graph = open_graph()
    function = graph.graph_def.library.function.add()
    function.signature.name = "f"
    for at in range(arguments):
        function.signature.input_arg.add(name=f"a{at}")
    function.signature.output_arg.add(name="y")
    function.ret["y"] = f"a{arguments - 1}"
    for at in range(nodes):
        function.node_def.add(name=f"n{at}", op="NoOp")
    for at in range(1000):
        call = graph.graph_def.node.add(name=f"c{at}", op="PartitionedCall")
        call.input.extend(["x"] * arguments)
        call.attr["f"].func.name = "f"
        signature = graph.signature_def[f"s{at}"]
        signature.CopyFrom(graph.signature_def["serving_default"])
        signature.outputs["outputs"].name = f"c{at}:0"
    graph.graph_def.node[0].attr["shape"].shape.dim.add(size=3)
    return graph


def calls_in_a_body(arguments=1500):
    """1000 signatures call a function that passes on its argument many times."""
    graph = calls_of_one_function()
    outer = graph.graph_def.library.function[0]
    inner = graph.graph_def.library.function.add()
    inner.signature.name = "g"
    for at in range(arguments):
        inner.signature.input_arg.add(name=f"a{at}")
    inner.signature.output_arg.add(name="y")
    inner.ret["y"] = "a0"
    call = outer.node_def.add(name="c", op="PartitionedCall", input=["a0"] * arguments)
    call.attr["f"].func.name = "g"
    outer.ret["y"] = "c:output:0"
    return graph


@pytest.mark.parametrize(
    "graph",
    [calls_of_one_function(nodes=1500), calls_in_a_body()],
    ids=["many nodes", "many arguments"],
)
def test_all_calls_of_a_function_share_its_body(tmp_path, graph):
    """The memory grows with the file, not with calls × nodes."""
    path = model_of(tmp_path, graph)
    assert load(path).select("s999").signature.outputs[0].shape == (3,)
    assert least_peak(lambda: load(path)) < 20 << 20


def test_a_shape_of_more_dimensions_than_a_tensor_has_says_nothing(tmp_path):
    graph = open_graph(("y", "Identity", ["x"], {}))
    for _ in range(255):
        graph.graph_def.node[0].attr["shape"].shape.dim.add(size=1)
    assert load(model_of(tmp_path, graph)).signature.outputs[0].shape is None


@pytest.mark.parametrize("number", [-1, 99, 100, 199, 5000, (1 << 31) - 1, -(1 << 31)])
def test_a_type_that_no_table_has(tmp_path, number):
    graph = graph_with()
    graph.signature_def["serving_default"].outputs["outputs"].dtype = number
    try:
        load(model_of(tmp_path, graph)).describe()
    except TfsparkError:
        return


def test_dimensions_that_no_tensor_has(tmp_path):
    graph = graph_with()
    shape = graph.signature_def["serving_default"].outputs["outputs"].tensor_shape
    for size in [-(1 << 63), (1 << 63) - 1] * 200:
        shape.dim.add(size=size)
    assert load(model_of(tmp_path, graph)).describe()
