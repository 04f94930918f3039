"""Finds out when each node of a graph runs, including the nodes of called functions.

Driver only. A *scope* is the name of a function; the graph itself is the scope `""`.

A node of the graph runs on some occasions: when a signature runs, when the model is initialised,
when its checkpoint is restored or saved, or never. The nodes of a function run when a node that may
call the function runs. A node may call it directly, through a nested attribute, as a gradient, or
because the optimizer replaces another function that implements the same. TensorFlow's own loader
may call the functions of the object graph.

A hostile model may try to slow down its readers: time and memory are linear in the size of the
graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from google.protobuf.message import DecodeError

from tfspark.errors import InvalidModelError, explain
from tfspark.operations.inner_graph import graph_in
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

_MOST_LEVELS = 100

_INIT_SIGNATURE = "__saved_model_init_op"
# A loader runs the init op once. If there is none, TensorFlow's loader in Python runs the
# initializers of tables and of local variables.
_INIT_COLLECTIONS = (
    "saved_model_main_op",
    "legacy_init_op",
    "table_initializer",
    "local_variables",
)
_IMPLEMENTS = "api_implements"


class Calls:
    """The scopes of a graph, their callers, and the occasions on which they run.

    Attributes:
        all_nodes: All nodes, each with its scope.
        nodes: Scope → node by name.
        functions: Function by name.
        graphs: Graphs that nodes contain as bytes, each with its place for messages.

    Raises:
        InvalidModelError: When a function has no name, or two have the same name.
    """

    def __init__(self, graph: MetaGraphDef) -> None:
        library = graph.graph_def.library.function
        self.functions: Mapping[str, FunctionDef] = {one.signature.name: one for one in library}
        if len(self.functions) < len(library) or GRAPH in self.functions:
            raise _ambiguous("functions")
        self.all_nodes = [(GRAPH, node) for node in graph.graph_def.node]
        for name, function in self.functions.items():
            self.all_nodes += [(name, node) for node in function.node_def]
        self.nodes: dict[str, dict[str, NodeDef]] = {
            GRAPH: {},
            **{name: {} for name in self.functions},
        }
        for scope, node in self.all_nodes:
            self.nodes[scope][node.name] = node
        if sum(map(len, self.nodes.values())) < len(self.all_nodes):
            raise _ambiguous("nodes")
        self._callers: dict[str, list[tuple[str, NodeDef]]] = defaultdict(list)
        self.graphs: list[tuple[str, bytes]] = []
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
        loaded = self._objects & self.functions.keys()
        self._functions_run[LOADER] = self._called_below(map(self._same, loaded))

    def occasions(self, scope: str, node: str) -> frozenset[str]:
        """Return the occasions on which a node runs; empty when nothing is known to run it."""
        if scope == GRAPH:
            return frozenset(name for name, run in self._run.items() if node in run)
        function = self._same(scope)
        return frozenset(name for name, run in self._functions_run.items() if function in run)

    def callers(self, function: str) -> Sequence[tuple[str, NodeDef]]:
        """Return scope and node of each call that may run a function."""
        return self._callers.get(self._same(function), ())

    def needed_nodes(self, tensors: Sequence[str]) -> Iterator[NodeDef]:
        """Yield all nodes that these tensors need, including nodes of called functions."""
        run = self._run_for(tensors)
        functions = self._called_by(run)
        for scope, node in self.all_nodes:
            if node.name in run if scope == GRAPH else self._same(scope) in functions:
                yield node

    def is_needed(self, tensor: str, tensors: Sequence[str]) -> bool:
        """Whether `tensors` need the node of `tensor`."""
        return node_of(tensor) in self._run_for(tensors)

    def is_in_object_graph(self, function: str) -> bool:
        """Whether TensorFlow's own loader may call a function."""
        return function in self._objects

    def _same(self, function: str) -> str:
        """Return the function that represents all functions that may run in its place."""
        return self._alike.get(function, function)

    def _read(self, scope: str, node: NodeDef) -> None:
        """Record which functions a node may call, and the texts in it."""
        called, texts = inside(node)
        graphs = [text for text in texts if graph_in(text)]
        if graphs:
            where = f"a graph inside {node.name}"
            self.graphs += [(where, graph) for graph in graphs]
        names = {self._same(one) for one in called if one in self.functions}
        if names:
            caller = f"{GRAPH}/{node.name}" if scope == GRAPH else self._same(scope)
            self._called[caller] |= names
        for name in names:
            self._callers[name].append((scope, node))

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
            if name not in found:
                found.add(name)
                waiting += self._called.get(name, ())
        return frozenset(found)


def inside(node: NodeDef) -> tuple[list[str], list[bytes]]:
    """Return the functions that a node may call, and the texts in it.

    It looks at each attribute once: a large graph has a million of them.
    """
    called: list[str] = [node.op]
    texts: list[bytes] = []
    for value in node.attr.values():
        _read_attribute(value, called, texts, 0)
    return called, texts


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


def _alike(graph: MetaGraphDef) -> dict[str, str]:
    """Return function → the representative of its implementations and gradients.

    Functions that may replace each other count as one: a caller of one of them calls all.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (other := above.setdefault(name, name)) != name:
            above[name] = above[other]
            name = other
        return name

    first: dict[bytes, str] = {}
    for one in graph.graph_def.library.function:
        if _IMPLEMENTS in one.attr:
            name = one.signature.name
            above[top(name)] = top(first.setdefault(one.attr[_IMPLEMENTS].s, name))
    for gradient in graph.graph_def.library.gradient:
        above[top(gradient.gradient_func)] = top(gradient.function_name)
    return {name: top(name) for name in list(above)}


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
    """Yield the operations that any loader may run once."""
    if _INIT_SIGNATURE in graph.signature_def:
        for info in graph.signature_def[_INIT_SIGNATURE].outputs.values():
            yield from _tensors(info)
    for name in _INIT_COLLECTIONS:
        if name in graph.collection_def:
            collection = graph.collection_def[name]
            yield from collection.node_list.value
            yield from map(_initializer, collection.bytes_list.value)


def _initializer(variable: bytes) -> str:
    """Return the operation that initialises a variable of a collection."""
    try:
        return VariableDef.FromString(variable).initializer_name
    except DecodeError:  # TensorFlow does not load such a model
        return ""


def _ambiguous(what: str) -> InvalidModelError:
    problem = f"The graph of the model has {what} without a name, or several of one name."
    return InvalidModelError(explain(problem, hint="export the model again."))
