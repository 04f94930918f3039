"""Finds when each node of a graph runs: for a signature, at initialisation, at restore, or never.

Driver only. A *scope* is the name of a function; the graph itself is the scope `""`.

The nodes of a function run when a node that calls the function runs. TensorFlow's own loader may
also call the functions that the object graph lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tfspark.saved_model_pb2 import FunctionDef, MetaGraphDef, NodeDef

GRAPH = ""

# Collections with the operations that TensorFlow runs once after it has restored the variables.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# Bytes of a graph with one `ReadFile` node whose name has one letter.
_SHORTEST_GRAPH = 15

_INIT_SIGNATURE = "__saved_model_init_op"


class Calls:
    """The scopes of a graph, the calls of functions, and the nodes that run on each occasion.

    Attributes:
        all_nodes: Scope and node, for every scope.
        nodes: Scope → node by name.
        functions: Function by name.
        callers: Name of a function → scope and node of each call.
        graphs: Pairs of a node and a text in it that may be a graph.
        signature: Nodes of the graph that a signature runs.
        init: Nodes of the graph that initialisation runs.
        restore: Nodes of the graph that restoring the checkpoint runs.
    """

    def __init__(self, graph: MetaGraphDef) -> None:
        library = graph.graph_def.library.function
        self.functions: Mapping[str, FunctionDef] = {one.signature.name: one for one in library}
        self.all_nodes = [(GRAPH, node) for node in graph.graph_def.node]
        self.all_nodes += [(one.signature.name, node) for one in library for node in one.node_def]
        self.nodes: dict[str, dict[str, NodeDef]] = {
            GRAPH: {},
            **{name: {} for name in self.functions},
        }
        for scope, node in self.all_nodes:
            self.nodes[scope][node.name] = node
        self._top: dict[str, frozenset[str | None]] = {}
        self._objects = frozenset(graph.object_graph_def.concrete_functions)
        self.callers: dict[str, list[tuple[str, NodeDef]]] = defaultdict(list)
        self.graphs: list[tuple[NodeDef, bytes]] = []
        for scope, node in self.all_nodes:
            called, texts = inside(node)
            for name in called:
                self.callers[name].append((scope, node))
            self.graphs += [(node, text) for text in texts]
        signatures = dict(graph.signature_def)
        init = signatures.pop(_INIT_SIGNATURE, None)
        self.signature = self._run_for(
            info.name for one in signatures.values() for info in one.outputs.values()
        )
        names = [name for key in _INIT_COLLECTIONS for name in _listed(graph, key)]
        names += [info.name for info in init.outputs.values()] if init else []
        self.init = self._run_for(names)
        self.restore = self._run_for([graph.saver_def.restore_op_name])

    def top_nodes(self, scope: str, node: str) -> frozenset[str | None]:
        """Return the nodes of the graph whose run causes a node of a scope to run.

        Returns:
            Names in the graph; `None` stands for a call by TensorFlow's loader.
        """
        if scope == GRAPH:
            return frozenset([node])
        if scope not in self._top:
            self._top[scope] = frozenset(self._callers_in_graph(scope))
        return self._top[scope]

    def _callers_in_graph(self, scope: str) -> Iterator[str | None]:
        seen, waiting = {scope}, [scope]
        while waiting:
            function = waiting.pop()
            if self.is_in_object_graph(function):
                yield None
            for caller, call in self.callers[function]:
                if caller == GRAPH:
                    yield call.name
                elif caller not in seen:
                    seen.add(caller)
                    waiting.append(caller)

    def is_in_object_graph(self, function: str) -> bool:
        """Whether TensorFlow's own loader may call a function."""
        return function in self._objects

    def _run_for(self, tensors: Iterable[str]) -> frozenset[str]:
        """Return the nodes of the graph that must run to compute some tensors or operations."""
        nodes = self.nodes[GRAPH]
        waiting = [node_of(name) for name in tensors]
        found = set()
        while waiting:
            name = waiting.pop()
            if name in nodes and name not in found:
                found.add(name)
                waiting += map(node_of, nodes[name].input)
        return frozenset(found)


def inside(node: NodeDef) -> tuple[list[str], list[bytes]]:
    """Return the functions that a node may call, and the texts in it that may be graphs.

    Reads each attribute only once, because a large graph has a million of them.
    """
    called: list[str] = [node.op]
    texts: list[bytes] = []
    for value in node.attr.values():
        kind = value.WhichOneof("value")
        if kind == "func":
            called.append(value.func.name)
        elif kind == "list":
            called += [function.name for function in value.list.func]
            texts += value.list.s
        elif kind == "s":
            texts.append(value.s)
        elif kind == "tensor":
            texts += value.tensor.string_val
    # A serialised graph begins with the tag of its first node, the byte 0x0a.
    return called, [text for text in texts if text[:1] == b"\n" and len(text) >= _SHORTEST_GRAPH]


def node_of(tensor: str) -> str:
    """Return the name of the node behind a tensor or a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def _listed(graph: MetaGraphDef, collection: str) -> Iterable[str]:
    # Reading a missing key from a protobuf map would add it.
    known = collection in graph.collection_def
    return graph.collection_def[collection].node_list.value if known else ()
