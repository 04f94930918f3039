"""Finds out when each node of a graph runs, including the nodes of called functions.

Driver only. A *scope* is the name of a function; the graph itself is the scope `""`.

A node of the graph runs on some occasions: when a signature runs, when the model is initialised,
when its checkpoint is restored or saved, or never. The nodes of a function run when a node that may
call the function runs. A node may call it directly, through a nested attribute, as a gradient, or
because the optimizer replaces another function that implements the same. TensorFlow's own loader
may call the functions of the object graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, explain
from tfspark.saved_model_pb2 import (
    AttrValue,
    FunctionDef,
    MetaGraphDef,
    NodeDef,
    TensorInfo,
    VariableDef,
)

GRAPH = ""

SIGNATURE, INIT, RESTORE, SAVE, LOADER = "signature", "init", "restore", "save", "loader"

# A node of `ReadFile`, whose name has one letter.
_SHORTEST_GRAPH = 15
_MOST_LEVELS = 100

_INIT_SIGNATURE = "__saved_model_init_op"
_IMPLEMENTS = "api_implements"


class Calls:
    """The scopes of a graph, their callers, and the occasions on which they run.

    Attributes:
        all_nodes: All nodes, each with its scope.
        nodes: Scope → node by name.
        functions: Function by name.
        callers: Name of a function → scope and node of each call.
        graphs: Pairs of a node and a text in it that may be a graph.

    Raises:
        InvalidModelError: When a function has no name, or two have the same name.
    """

    def __init__(self, graph: MetaGraphDef) -> None:
        library = graph.graph_def.library.function
        self.functions: Mapping[str, FunctionDef] = {one.signature.name: one for one in library}
        if len(self.functions) < len(library) or GRAPH in self.functions:
            raise _ambiguous("functions")
        self.all_nodes = [(GRAPH, node) for node in graph.graph_def.node]
        self.all_nodes += [(one.signature.name, node) for one in library for node in one.node_def]
        self.nodes: dict[str, dict[str, NodeDef]] = {
            GRAPH: {},
            **{name: {} for name in self.functions},
        }
        for scope, node in self.all_nodes:
            self.nodes[scope][node.name] = node
        if sum(map(len, self.nodes.values())) < len(self.all_nodes):
            raise _ambiguous("nodes")
        self.callers: dict[str, list[tuple[str, NodeDef]]] = defaultdict(list)
        self.graphs: list[tuple[NodeDef, bytes]] = []
        self._called: dict[str, set[str]] = defaultdict(set)
        self._alike = _alike(graph)
        for scope, node in self.all_nodes:
            self._read(scope, node)
        self._objects = frozenset(_loaded(graph))
        self._run = {
            SIGNATURE: self._run_for(_outputs(graph)),
            INIT: self._run_for(_initialised(graph)),
            RESTORE: self._run_for([graph.saver_def.restore_op_name]),
            SAVE: self._run_for([graph.saver_def.save_tensor_name]),
        }
        self._functions_run = {name: self._called_by(run) for name, run in self._run.items()}
        self._functions_run[LOADER] = self._called_below(self._objects)

    def occasions(self, scope: str, node: str) -> frozenset[str]:
        """Return the occasions on which a node runs; empty when nothing is known to run it."""
        if scope == GRAPH:
            return frozenset(name for name, run in self._run.items() if node in run)
        return frozenset(name for name, run in self._functions_run.items() if scope in run)

    def is_in_object_graph(self, function: str) -> bool:
        """Whether TensorFlow's own loader may call a function."""
        return function in self._objects

    def _read(self, scope: str, node: NodeDef) -> None:
        """Record which functions a node may call, and the texts in it."""
        called, texts = inside(node)
        for name in dict.fromkeys(called):
            for other in self._alike.get(name, {name}):
                self.callers[other].append((scope, node))
                self._called[scope if scope != GRAPH else f"{GRAPH}/{node.name}"].add(other)
        self.graphs += [(node, text) for text in texts]

    def _run_for(self, tensors: Iterable[str]) -> frozenset[str]:
        """Return the nodes of the graph that some tensors or operations need."""
        nodes = self.nodes[GRAPH]
        waiting = [node_of(name) for name in tensors]
        found = set()
        while waiting:
            name = waiting.pop()
            if name in nodes and name not in found:
                found.add(name)
                waiting += map(node_of, nodes[name].input)
        return frozenset(found)

    def _called_by(self, nodes: Iterable[str]) -> frozenset[str]:
        direct = (self._called.get(f"{GRAPH}/{name}", ()) for name in nodes)
        return self._called_below(name for names in direct for name in names)

    def _called_below(self, functions: Iterable[str]) -> frozenset[str]:
        waiting, found = list(functions), set[str]()
        while waiting:
            name = waiting.pop()
            if name in self.functions and name not in found:
                found.add(name)
                waiting += self._called.get(name, ())
        return frozenset(found)


def inside(node: NodeDef) -> tuple[list[str], list[bytes]]:
    """Return the functions that a node may call, and the texts in it that may be graphs.

    It looks at each attribute once: a large graph has a million of them.
    """
    called: list[str] = [node.op]
    texts: list[bytes] = []
    for value in node.attr.values():
        _read_attribute(value, called, texts, 0)
    # A graph begins with a node, and a node names an operation.
    return called, [text for text in texts if text[:1] == b"\n" and len(text) >= _SHORTEST_GRAPH]


def node_of(tensor: str) -> str:
    """Return the name of the node of a tensor, or of a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def _read_attribute(value: AttrValue, called: list[str], texts: list[bytes], level: int) -> None:
    kind = value.WhichOneof("value")
    if kind == "func":
        functions = [value.func]
    elif kind == "list":
        functions = list(value.list.func)
        texts += value.list.s
        for tensor in value.list.tensor:
            texts += tensor.string_val
    else:
        functions = []
        if kind == "s":
            texts.append(value.s)
        elif kind == "tensor":
            texts += value.tensor.string_val
    for function in functions:
        called.append(function.name)
        if function.attr and level < _MOST_LEVELS:
            for nested in function.attr.values():
                _read_attribute(nested, called, texts, level + 1)


def _alike(graph: MetaGraphDef) -> dict[str, set[str]]:
    """Return function → the functions that may replace it: implementations and gradients."""
    groups: dict[bytes, set[str]] = defaultdict(set)
    found: dict[str, set[str]] = {}
    for one in graph.graph_def.library.function:
        if _IMPLEMENTS in one.attr:
            groups[one.attr[_IMPLEMENTS].s].add(one.signature.name)
    for names in groups.values():
        found |= {name: set(names) for name in names}
    for gradient in graph.graph_def.library.gradient:
        own = found.setdefault(gradient.function_name, {gradient.function_name})
        own.add(gradient.gradient_func)
    return found


def _loaded(graph: MetaGraphDef) -> Iterator[str]:
    """Yield the functions that TensorFlow's own loader may call."""
    yield from graph.object_graph_def.concrete_functions
    for node in graph.object_graph_def.nodes:
        yield from node.function.concrete_functions
        yield node.bare_concrete_function.concrete_function_name


def _outputs(graph: MetaGraphDef) -> Iterator[str]:
    for name, signature in graph.signature_def.items():
        if name != _INIT_SIGNATURE:
            for info in signature.outputs.values():
                yield from _tensors(info)


def _tensors(info: TensorInfo, level: int = 0) -> Iterator[str]:
    """Yield the tensors of an output; a sparse or ragged output has several."""
    yield info.name
    yield info.coo_sparse.values_tensor_name
    yield info.coo_sparse.indices_tensor_name
    yield info.coo_sparse.dense_shape_tensor_name
    for component in info.composite_tensor.components if level < _MOST_LEVELS else ():
        yield from _tensors(component, level + 1)


def _initialised(graph: MetaGraphDef) -> Iterator[str]:
    """Yield the operations that a loader may run once: all names in any collection."""
    if _INIT_SIGNATURE in graph.signature_def:
        for info in graph.signature_def[_INIT_SIGNATURE].outputs.values():
            yield from _tensors(info)
    for collection in graph.collection_def.values():
        yield from collection.node_list.value
        for text in collection.bytes_list.value:
            try:
                yield VariableDef.FromString(text).initializer_name
            except DecodeError:  # a collection of something else
                continue


def _ambiguous(what: str) -> InvalidModelError:
    problem = f"The graph of the model has {what} without a name, or several of one name."
    return InvalidModelError(explain(problem, hint="export the model again."))
