"""Graphs that hide the files that they open from a checker that reads less than TensorFlow.

They are built node by node as protocol buffers. In most of them, a table is initialised from
`secret`, a path that the model chooses, but a checker may believe that the path is the asset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.core.protobuf.saver_pb2 import SaverDef

FLOAT, STRING, RESOURCE, VARIANT = 1, 7, 20, 21
PARTITIONED = "StatefulPartitionedCall"


class Graph:
    """Builds a SavedModel: y = x, an asset, a path that the model chooses, and an init op."""

    def __init__(self) -> None:
        self.model = SavedModel()
        self.meta = self.model.meta_graphs.add()
        self.meta.meta_info_def.tags.append("serve")
        self.library = self.meta.graph_def.library
        self.node("x", "Placeholder", dtype=FLOAT)
        self.node("asset", "Const", dtype=STRING)
        self.node("secret", "Const", dtype=STRING)
        self.node("table", "HashTableV2")
        asset = self.meta.asset_file_def.add(filename="words.txt")
        asset.tensor_info.name = "asset:0"
        signature = self.meta.signature_def["serving_default"]
        for side, tensor in ((signature.inputs["x"], "x:0"), (signature.outputs["y"], "x:0")):
            side.name, side.dtype = tensor, FLOAT
            side.tensor_shape.dim.add(size=-1)

    def node(
        self, name: str, op: str, inputs: Iterable[str] = (), within: Any = None, **types: int
    ) -> Any:
        """Add a node to the graph or to a function, with attributes that are types."""
        nodes = self.meta.graph_def.node if within is None else within.node_def
        node = nodes.add(name=name, op=op, input=inputs)
        for key, value in types.items():
            node.attr[key].type = value
        return node

    def function(self, name: str, *arguments: str) -> Any:
        """Add a function of strings."""
        function = self.library.function.add()
        function.signature.name = name
        for argument in arguments:
            function.signature.input_arg.add(name=argument, type=STRING)
        return function

    def call(self, name: str, function: str, *inputs: str, within: Any = None) -> Any:
        """Add a call of a function."""
        node = self.node(name, PARTITIONED, inputs, within)
        node.attr["f"].func.name = function
        return node

    def read(self, path: str, within: Any = None) -> None:
        """Initialise the table from a file."""
        self.node("read", "InitializeTableFromTextFileV2", ["table", path], within)

    def init(self, *names: str, collection: str = "saved_model_main_op") -> None:
        """Set the operation that a loader runs once."""
        self.meta.collection_def[collection].node_list.value.extend(names)

    def variable(self, collection: str, initializer: str) -> None:
        """List a variable in a collection."""
        variable = VariableDef(variable_name="v:0", initializer_name=initializer)
        listed = self.meta.collection_def[collection].bytes_list.value
        listed.append(variable.SerializeToString())

    def write(self, path: Path) -> None:
        """Write the model with its asset."""
        (path / "assets").mkdir(parents=True)
        (path / "assets" / "words.txt").write_text("a\nb\n")
        (path / "variables").mkdir()
        (path / "variables" / "variables").write_bytes(b"")  # a checkpoint of version 1
        (path / "saved_model.pb").write_bytes(self.model.SerializeToString())


def asset_of_a_collection(graph: Graph) -> None:
    """Loaders ignore the assets of the collection when the graph itself lists one."""
    listed = AssetFileDef(filename="words.txt")
    listed.tensor_info.name = "secret:0"
    graph.meta.collection_def["saved_model_assets"].any_list.value.add().Pack(listed)
    graph.read("secret")
    graph.init("read")


def attribute_of_a_caller(graph: Graph) -> None:
    """The stream of a print is an attribute of the function, which the call gives."""
    function = graph.function("f", "text")
    graph.node("print", "PrintV2", ["text"], function).attr["output_stream"].placeholder = "stream"
    call = graph.call("call", "f", "secret")
    call.attr["f"].func.attr["stream"].s = b"file:///tmp/mark"


def nested_attribute(graph: Graph) -> None:
    """A function calls another one that its caller names in a nested attribute."""
    graph.read("path", graph.function("reader", "path"))
    outer = graph.function("outer", "path")
    graph.node("inner", PARTITIONED, ["path"], outer).attr["f"].placeholder = "g"
    graph.call("call", "outer", "secret").attr["f"].func.attr["g"].func.name = "reader"
    graph.init("call")


def gradient(graph: Graph) -> None:
    """A gradient function runs that no node names."""
    graph.function("f", "a")
    graph.node("save", "SaveV2", ["a"], graph.function("g", "a"))
    graph.library.gradient.add(function_name="f", gradient_func="g")
    graph.node("run", "SymbolicGradient", ["secret"]).attr["f"].func.name = "f"
    graph.init("run")


def other_implementation(graph: Graph) -> None:
    """The optimizer replaces a function by another one that claims the same implementation."""
    graph.function("harmless", "path").attr["api_implements"].s = b"thing"
    reader = graph.function("reader", "path")
    reader.attr["api_implements"].s = b"thing"
    graph.read("path", reader)
    graph.call("call", "harmless", "secret")
    graph.call("decoy", "reader", "asset")
    graph.init("call", "decoy")


def variables_without_names(graph: Graph) -> None:
    """All variables without a shared name are the same variable."""
    for name, value in (("v", "asset"), ("w", "secret")):
        graph.node(name, "VarHandleOp")
        graph.node(f"set_{name}", "AssignVariableOp", [name, value])
    graph.node("path", "ReadVariableOp", ["v", "^set_w"])
    graph.read("path")
    graph.init("read")


def second_result(graph: Graph) -> None:
    """The loader feeds the first result of a node; the table takes the second."""
    graph.node("two", "IdentityN", ["asset", "secret"])
    graph.meta.asset_file_def[0].tensor_info.name = "two:0"
    graph.read("two:1")
    graph.init("read")


def list_in_a_body(graph: Graph) -> None:
    """In a function's body, one name means two tensors and shifts the positions after it."""
    graph.read("path", graph.function("reader", "first", "path", "last"))
    outer = graph.function("outer", "bad", "good")
    graph.node("two", "IdentityN", ["bad", "bad"], outer)
    graph.call("call", "reader", "two:output", "good", within=outer)
    graph.call("top", "outer", "secret", "asset")
    graph.init("top")


def object_graph(graph: Graph) -> None:
    """TensorFlow's loader calls a function that is named only in the object graph."""
    graph.node("save", "SaveV2", ["path"], graph.function("evil", "path"))
    graph.call("decoy", "evil", "secret")
    graph.meta.saver_def.save_tensor_name = "decoy:0"
    named = graph.meta.object_graph_def.nodes.add().bare_concrete_function
    named.concrete_function_name = "evil"


def assigned_while_restoring(graph: Graph) -> None:
    """No loader feeds assets while it restores, so the variable then has the constant."""
    graph.node("v", "VarHandleOp").attr["shared_name"].s = b"v"
    graph.node("set", "AssignVariableOp", ["v", "asset"])
    graph.node("path", "ReadVariableOp", ["v"])
    graph.read("path")
    graph.meta.saver_def.restore_op_name = "set"
    graph.init("read")


def sparse_output(graph: Graph) -> None:
    """An output of three tensors has no name."""
    graph.node("save", "SaveV2", ["secret"])
    graph.node("values", "Identity", ["x", "^save"])
    sparse = graph.meta.signature_def["serving_default"].outputs["sparse"].coo_sparse
    sparse.values_tensor_name = "values:0"


def another_collection(graph: Graph) -> None:
    """TensorFlow's loader runs the initializers of tables if there is no init op."""
    graph.node("save", "SaveV2", ["secret"])
    graph.init("save", collection="table_initializer")


def legacy_init_op(graph: Graph) -> None:
    """Loaders also run the init op of the first versions of TensorFlow."""
    graph.node("restore", "RestoreV2", ["secret"])
    graph.init("restore", collection="legacy_init_op")


def initializer_of_a_local_variable(graph: Graph) -> None:
    """TensorFlow's loader initialises local variables if there is no init op."""
    graph.node("restore", "RestoreV2", ["secret"])
    graph.variable("local_variables", initializer="restore")


def resource_in_a_variant(graph: Graph) -> None:
    """A constant of a variant holds a resource."""
    graph.node("carrier", "Const", dtype=VARIANT)


def type_of_a_caller(graph: Graph) -> None:
    """The type of a parsed tensor is an attribute of the function."""
    parse = graph.node("parse", "ParseTensor", ["text"], graph.function("f", "text"))
    parse.attr["out_type"].placeholder = "T"
    graph.call("call", "f", "secret").attr["f"].func.attr["T"].type = RESOURCE


def compiled_text(graph: Graph) -> None:
    """A compiled module as text; letters can be escaped in it."""
    module = b'module { "stablehlo.custom\\5Fcall"() }'
    graph.node("run", "XlaCallModule", ["x"]).attr["module"].s = module


def graph_with_functions_first(graph: Graph) -> None:
    """Fields may have any order, and a function may have a name that no operation has."""
    inner = GraphDef()
    inner.node.add(name="call", op="reader")
    library = GraphDef()
    reader = library.library.function.add()
    reader.signature.name = "reader"
    reader.node_def.add(name="write", op="WriteFile")
    text = library.SerializeToString() + inner.SerializeToString()
    graph.node("rows", "Const", dtype=STRING).attr["value"].tensor.string_val.append(text)


def graphs_in_graphs(graph: Graph) -> None:
    """A constant of a graph in a constant of a graph, and so on; the innermost one writes."""
    inner = GraphDef()
    inner.node.add(name="write", op="WriteFile")
    for _ in range(8):
        outer = GraphDef()
        constant = outer.node.add(name="rows", op="Const").attr["value"].tensor
        constant.string_val.append(inner.SerializeToString())
        inner = outer
    graph.meta.graph_def.node.extend(inner.node)


def long_name(graph: Graph) -> None:
    """A message shows the first letters of a long name."""
    graph.node("n" * 1000, "WriteFile")


GRAPHS: Mapping[str, tuple[Callable[[Graph], None], str]] = {
    # name → graph, operation that is found
    "asset of a collection": (asset_of_a_collection, "InitializeTableFromTextFileV2"),
    "attribute of a caller": (attribute_of_a_caller, "PrintV2"),
    "nested attribute": (nested_attribute, "InitializeTableFromTextFileV2"),
    "gradient": (gradient, "SaveV2"),
    "other implementation": (other_implementation, "InitializeTableFromTextFileV2"),
    "variables without names": (variables_without_names, "InitializeTableFromTextFileV2"),
    "second result": (second_result, "InitializeTableFromTextFileV2"),
    "list in a body": (list_in_a_body, "InitializeTableFromTextFileV2"),
    "object graph": (object_graph, "SaveV2"),
    "assigned while restoring": (assigned_while_restoring, "InitializeTableFromTextFileV2"),
    "sparse output": (sparse_output, "SaveV2"),
    "another collection": (another_collection, "SaveV2"),
    "legacy init op": (legacy_init_op, "RestoreV2"),
    "local variable": (initializer_of_a_local_variable, "RestoreV2"),
    "resource in a variant": (resource_in_a_variant, "Const"),
    "type of a caller": (type_of_a_caller, "ParseTensor"),
    "functions first": (graph_with_functions_first, "WriteFile"),
    "graphs in graphs": (graphs_in_graphs, "Const"),
    "long name": (long_name, "WriteFile"),
    "compiled text": (compiled_text, "XlaCallModule"),
}


def plain(graph: Graph) -> None:
    """A table of the asset, initialised in a function."""
    graph.read("path", graph.function("reader", "path"))
    graph.call("call", "reader", "asset")
    graph.init("call")


def savers_of_training(graph: Graph) -> None:
    """Savers that remain from training are listed in a collection; nothing runs them."""
    graph.node("save", "SaveV2", ["secret"])
    graph.node("restore", "RestoreV2", ["secret"])
    graph.node("file", "Identity", ["secret", "^save"])
    saver = SaverDef(
        filename_tensor_name="secret:0", save_tensor_name="file:0", restore_op_name="restore"
    )
    graph.meta.collection_def["savers"].bytes_list.value.append(saver.SerializeToString())
    graph.init("restore", collection="my_restore_ops")
    graph.init("save", "restore", collection="train_op")


def variable_of_another_checkpoint(graph: Graph) -> None:
    """Training began with the weights of another model, which no loader initialises again."""
    graph.node("weights", "RestoreV2", ["secret"])
    graph.node("v", "VarHandleOp")
    graph.node("begin", "AssignVariableOp", ["v", "weights"])
    for collection in ("variables", "trainable_variables"):
        graph.variable(collection, initializer="begin")


HARMLESS: Mapping[str, Callable[[Graph], None]] = {
    "plain": plain,
    "savers of training": savers_of_training,
    "variable of another checkpoint": variable_of_another_checkpoint,
}
