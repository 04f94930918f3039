"""Which nodes of a graph run when, inside the functions that they call.

Driver only. A *scope* is the name of a function; the graph itself is the scope `""`.

A node of the graph runs when a signature runs, when the model is initialised, when its checkpoint
is restored, or never. The nodes of a function run when a node runs that calls it. TensorFlow's own
loader may also call the functions that the object graph lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from tfspark.saved_model_pb2 import FunctionDef, MetaGraphDef, NodeDef

GRAPH = ""

# Collections that name what TensorFlow runs once after it restored the variables.
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# A node of `ReadFile`, whose name has one letter.
_SHORTEST_GRAPH = 15

_INIT_SIGNATURE = "__saved_model_init_op"


class Calls:
    """The scopes of a graph, who calls them, and what each occasion runs.

    Attributes:
        all_nodes: Scope and node, of every scope.
        nodes: Scope → node by name.
        functions: Function by name.
        callers: Name of a function → scope and node of each call.
        graphs: Node and each text in it that may be a graph.
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
        """Return the nodes of the graph that make a node of a scope run.

        Returns:
            Names in the graph; `None` stands for the object graph of TensorFlow's loader.
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


def inside(node: NodeDef) -> tuple[list[str], list[bytes]]:
    """Return the functions that a node may call, and the texts in it that may be graphs.

    It looks at each attribute once: a large graph has a million of them.
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
    # A graph begins with a node, and a node names an operation.
    return called, [text for text in texts if text[:1] == b"\n" and len(text) >= _SHORTEST_GRAPH]


def node_of(tensor: str) -> str:
    """Return the name of the node that makes a tensor, or gives a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def _listed(graph: MetaGraphDef, collection: str) -> Iterable[str]:
    # A map of protocol buffers makes the entry that is asked for.
    known = collection in graph.collection_def
    return graph.collection_def[collection].node_list.value if known else ()
