"""Operations that access more than tensors are found without running the model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tfspark
from tests.security import disguised, forbidden
from tests.security.allocations import least_peak
from tests.thirdparty.writing import as_text, change
from tfspark.errors import ForbiddenOperationError, InvalidModelError
from tfspark.handle import ModelHandle
from tfspark.saved_model_pb2 import GraphDef


@pytest.mark.parametrize("name", forbidden.MODELS)
def test_an_operation_that_touches_more_is_found(name: str, tmp_path: Path) -> None:
    build, op, what = forbidden.MODELS[name]
    build(tmp_path / "model", tmp_path / "mark")
    found = tfspark.lint(tmp_path / "model")
    assert (op, what) in {(one.op, one.touches) for one in found}
    package = tfspark.load(tmp_path / "model")
    assert tfspark.lint(package) == found
    with pytest.raises(ForbiddenOperationError, match=f"{op} in node .* touches {what}"):
        ModelHandle.of(package)
    ModelHandle.of(package.allowing({one.op for one in found}))
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("build", [forbidden.table_of_file, forbidden.module_with_table])
@pytest.mark.parametrize("text", [False, True])
def test_checkpoints_and_assets_need_no_permission(build, text: bool, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    build(tmp_path / "model", tmp_path / "words.txt")
    if text:
        as_text(tmp_path / "model")
    assert tfspark.lint(tmp_path / "model") == []


def test_a_message_says_where_and_how_to_allow_it(tmp_path: Path) -> None:
    forbidden.write_in_function(tmp_path / "model", tmp_path / "mark")
    with pytest.raises(ForbiddenOperationError) as caught:
        tfspark.load(tmp_path / "model").check_operations()
    message = str(caught.value)
    assert "WriteFile in node 'WriteFile' of '__inference_inner_" in message
    assert "allow_ops=['WriteFile'] (--allow-ops WriteFile)" in message
    assert caught.value.exit_code == 65


def test_a_function_named_like_an_operation_does_not_hide_it(tmp_path: Path) -> None:
    def rename(graph) -> None:
        graph.graph_def.library.function.add().signature.name = "WriteFile"

    forbidden.write_in_signature(tmp_path / "model", tmp_path / "mark")
    change(tmp_path / "model", rename)
    assert [one.op for one in tfspark.lint(tmp_path / "model")] == ["WriteFile"]


def test_a_variable_with_a_path_of_the_model_is_no_asset(tmp_path: Path) -> None:
    """TensorFlow 2 keeps an asset's path in a variable; here something else assigns it too."""

    def assign_another(graph) -> None:
        node = graph.graph_def.node.add(name="mine", op="Const")
        node.attr["dtype"].type = 7
        node.attr["value"].tensor.dtype = 7
        node.attr["value"].tensor.string_val.append(b"/etc/passwd")
        (handle,) = (one for one in graph.graph_def.node if one.op == "AssignVariableOp")
        again = graph.graph_def.node.add(name="again", op="AssignVariableOp")
        again.input[:] = [handle.input[0], "mine"]
        again.attr["dtype"].type = 7

    (tmp_path / "words.txt").write_text("a\nb\n")
    forbidden.module_with_table(tmp_path / "model", tmp_path / "words.txt")
    change(tmp_path / "model", assign_another)
    assert [one.op for one in tfspark.lint(tmp_path / "model")] == ["InitializeTableFromTextFileV2"]


def test_an_asset_read_by_a_signature_is_a_file_of_its_choice(tmp_path: Path) -> None:
    """The loader feeds the path of an asset only while it initialises the model."""

    def call_table(graph) -> None:
        output = graph.signature_def["serving_default"].outputs["y"]
        name = output.name.removesuffix(":0")
        (node,) = (one for one in graph.graph_def.node if one.name == name)
        (table,) = (one for one in graph.graph_def.node if one.op.startswith("InitializeTable"))
        node.input.append(f"^{table.name}")

    (tmp_path / "words.txt").write_text("a\nb\n")
    forbidden.table_of_file(tmp_path / "model", tmp_path / "words.txt")
    change(tmp_path / "model", call_table)
    assert [one.touches for one in tfspark.lint(tmp_path / "model")] == ["files"]


def test_every_operation_of_this_tensorflow_is_known() -> None:
    """An operation of a new TensorFlow must be classified; `tools/operations.py` lists it."""
    from tools.operations import unlisted

    assert unlisted() == []


def test_a_resource_made_of_bytes_is_found(tmp_path: Path) -> None:
    """It could be the variable in which TensorFlow keeps the path of an asset."""

    def add(graph) -> None:
        node = graph.graph_def.node.add(name="handle", op="ParseTensor", input=["x"])
        node.attr["out_type"].type = 20  # DT_RESOURCE

    forbidden.write_in_signature(tmp_path / "model", tmp_path / "mark")
    change(tmp_path / "model", add)
    assert ("ParseTensor", "resources of other nodes") in {
        (one.op, one.touches) for one in tfspark.lint(tmp_path / "model")
    }


def test_only_one_graph_can_be_meant(linear: Path, tmp_path: Path) -> None:
    """The checked graph is the graph that TensorFlow loads."""
    shutil.copytree(linear / "1", tmp_path / "chunks")
    (tmp_path / "chunks" / "saved_model.cpb").write_bytes(b"")
    with pytest.raises(InvalidModelError, match="a graph in chunks"):
        tfspark.load(tmp_path / "chunks")
    shutil.copytree(linear / "1", tmp_path / "twice")
    file = tmp_path / "twice" / "saved_model.pb"
    file.write_bytes(file.read_bytes() * 2)
    with pytest.raises(InvalidModelError, match="2 graphs with one tag set"):
        tfspark.load(tmp_path / "twice")


@pytest.mark.timeout(60)
def test_functions_that_call_functions_twice_end(tmp_path: Path) -> None:
    """Each of 60 functions calls the next one twice with its argument; the last reads a file."""

    def tower(graph) -> None:
        for level in range(60):
            function = graph.graph_def.library.function.add()
            function.signature.name = f"f{level}"
            function.signature.input_arg.add(name="path", type=7)
            op = f"f{level + 1}" if level < 59 else "RestoreV2"
            for name in ("left", "right"):
                function.node_def.add(name=name, op=op, input=["path"])

    forbidden.write_in_signature(tmp_path / "model", tmp_path / "mark")
    change(tmp_path / "model", tower)
    assert "WriteFile" in {one.op for one in tfspark.lint(tmp_path / "model")}


def implementations(graph: disguised.Graph) -> None:
    """2000 functions implement the same, and each calls all the others."""
    for at in range(2000):
        function = graph.function(f"f{at}", "path")
        function.attr["api_implements"].s = b"thing"
        graph.call("call", "f0", "path", within=function)


def long_names(graph: disguised.Graph) -> None:
    """A node and a function with a name of 100 kB have 2000 operations that access files."""
    inner, name = GraphDef(), "n" * 100_000
    function = graph.function(name, "path")
    for at in range(2000):
        for nodes in (inner.node, function.node_def):
            nodes.add(name=f"w{at}", op="WriteFile")
    rows = graph.node(name, "Const", dtype=disguised.STRING)
    rows.attr["value"].tensor.string_val.append(inner.SerializeToString())


def arguments(graph: disguised.Graph) -> None:
    """A function passes 1000 arguments to another one, which reads a file for each of them."""
    names = [f"a{at}" for at in range(1000)]
    reader = graph.function("reader", *names)
    for name in names:
        graph.node(f"read_{name}", "InitializeTableFromTextFileV2", ["table", name], reader)
    graph.call("call", "reader", *names, within=graph.function("outer", *names))
    graph.call("top", "outer", *["asset"] * len(names))
    graph.init("top")


@pytest.mark.parametrize("build", [implementations, long_names, arguments])
@pytest.mark.timeout(60)
def test_time_and_memory_grow_with_the_file(build, tmp_path: Path) -> None:
    graph = disguised.Graph()
    build(graph)
    graph.write(tmp_path / "model")
    found = tfspark.lint(tmp_path / "model")
    assert len(found) == (4000 if build is long_names else 0)
    assert least_peak(lambda: tfspark.lint(tmp_path / "model")) < 40 << 20


@pytest.mark.parametrize("name", disguised.GRAPHS)
def test_nothing_hides_what_a_model_opens(name: str, tmp_path: Path) -> None:
    build, op = disguised.GRAPHS[name]
    graph = disguised.Graph()
    build(graph)
    graph.write(tmp_path / "model")
    found = tfspark.lint(tmp_path / "model")
    assert op in {one.op for one in found}
    assert all(len(str(one)) < 800 for one in found)


@pytest.mark.parametrize("name", disguised.HARMLESS)
def test_what_opens_no_other_file_needs_no_permission(name: str, tmp_path: Path) -> None:
    graph = disguised.Graph()
    disguised.HARMLESS[name](graph)
    graph.write(tmp_path / "model")
    assert tfspark.lint(tmp_path / "model") == []


@pytest.mark.parametrize("name", ["f", ""])
def test_ambiguous_names_are_refused(name: str, tmp_path: Path) -> None:
    graph = disguised.Graph()
    graph.function("f", "path")
    graph.function(name, "path")
    graph.write(tmp_path / "model")
    with pytest.raises(InvalidModelError, match="functions without a name, or several of one"):
        tfspark.lint(tmp_path / "model")
