"""Finds out who chooses the name of a file that an operation opens: the loader or the model.

Driver only. Follows a tensor back to an asset of the export dir or to the name of the checkpoint;
TensorFlow's loaders feed both. The model chooses every other name, such as a constant.

TensorFlow 2 keeps the path of an asset in a variable, which the initialisation assigns. The
variable counts as the asset when nothing else can assign it: all its nodes are in the graph itself,
and they only read it, check that it is initialised, or assign the asset.
"""

from __future__ import annotations

from collections.abc import Iterator

from tfspark.operations.calls import GRAPH, Calls, node_of
from tfspark.saved_model.assets import assets_of
from tfspark.saved_model_pb2 import MetaGraphDef, NodeDef

ASSET, CHECKPOINT, OTHER = "asset", "checkpoint", "other"

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_SAME = {"Identity", "StopGradient"}
_MOST_STEPS = 100


class FileNames:
    """The origins of the file names in a graph."""

    def __init__(self, graph: MetaGraphDef, calls: Calls) -> None:
        self._calls = calls
        self._objects = graph.object_graph_def
        self._assets = {node_of(one.tensor_info.name) for one in assets_of(graph)}
        self._checkpoint = node_of(graph.saver_def.filename_tensor_name)
        self._kinds: dict[tuple[str, str], set[str]] = {}
        self._variables: dict[str, list[tuple[str, NodeDef]]] = {}
        for scope, node in calls.all_nodes:
            if node.op == "VarHandleOp":
                self._variables.setdefault(_shared_name(node), []).append((scope, node))

    def kinds(self, scope: str, tensor: str, steps: int = 0) -> set[str]:
        """Return where a tensor comes from, in every call: `asset`, `checkpoint` or `other`."""
        place = (scope, node_of(tensor))
        if place not in self._kinds:
            self._kinds[place] = {OTHER}  # the result for a cycle
            self._kinds[place] = self._traced(*place, steps)
        return self._kinds[place]

    def _traced(self, scope: str, name: str, steps: int) -> set[str]:
        if steps > _MOST_STEPS:
            return {OTHER}
        if scope == GRAPH and name in self._assets:
            return {ASSET}
        if scope == GRAPH and name == self._checkpoint:
            return {CHECKPOINT}
        node = self._calls.nodes[scope].get(name)
        if node is None:
            return self._argument_kinds(scope, name, steps)
        if node.op in _SAME and node.input:
            return self.kinds(scope, node.input[0], steps + 1)
        if node.op == "ReadVariableOp" and scope == GRAPH and node.input:
            return self._variable_kinds(node.input[0], steps)
        return {OTHER}

    def _argument_kinds(self, function: str, name: str, steps: int) -> set[str]:
        """Return where the argument of a function comes from."""
        if function == GRAPH:
            return {OTHER}
        arguments = self._calls.functions[function].signature.input_arg
        names = [argument.name for argument in arguments]
        # An argument of several tensors shifts the positions of all later arguments.
        if name not in names or any(one.number_attr or one.type_list_attr for one in arguments):
            return {OTHER}
        at = names.index(name)
        found: set[str] = set()
        if self._calls.is_in_object_graph(function):
            found.add(self._bound_kind(function, at - len(names)))
        for scope, call in self._calls.callers[function]:
            given = [one for one in call.input if not one.startswith("^")]
            is_plain = call.op in _CALLS or call.op == function
            if is_plain and at < len(given):
                found |= self.kinds(scope, given[at], steps + 1)
            else:
                found.add(OTHER)
        return found

    def _bound_kind(self, function: str, at: int) -> str:
        """Return the kind that the object graph binds to an argument; `at` counts from the end."""
        bound = self._objects.concrete_functions[function].bound_inputs
        number = bound[at] if -at <= len(bound) else -1
        nodes = self._objects.nodes
        return ASSET if 0 <= number < len(nodes) and nodes[number].HasField("asset") else OTHER

    def _variable_kinds(self, handle: str, steps: int) -> set[str]:
        """Return the kinds of the values that a variable may hold."""
        node = self._calls.nodes[GRAPH].get(node_of(handle))
        if node is None or node.op != "VarHandleOp":
            return {OTHER}
        handles = self._variables[_shared_name(node)]
        if any(scope != GRAPH for scope, _ in handles):
            return {OTHER}
        names = {one.name for _, one in handles}
        return {kind for user in self._users(names) for kind in self._use(user, names, steps)}

    def _users(self, names: set[str]) -> Iterator[NodeDef]:
        for node in self._calls.nodes[GRAPH].values():
            if any(node_of(one) in names for one in node.input if not one.startswith("^")):
                yield node

    def _use(self, user: NodeDef, names: set[str], steps: int) -> set[str]:
        if user.op in ("ReadVariableOp", "VarIsInitializedOp"):
            return set()
        if user.op == "AssignVariableOp" and node_of(user.input[0]) in names:
            return self.kinds(GRAPH, user.input[1], steps + 1)
        return {OTHER}


def _shared_name(node: NodeDef) -> str:
    """Return the name under which a session stores a variable."""
    given = (
        node.attr["shared_name"].s.decode(errors="replace") if "shared_name" in node.attr else ""
    )
    return given or node.name
