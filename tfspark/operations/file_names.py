"""Finds out whether the loader or the model chooses the name of a file that an operation opens.

Driver only. TensorFlow's loaders feed the path of each asset and the name of the checkpoint. This
module follows a tensor back to one of them. Any other name is chosen by the model, for example as a
constant.

TensorFlow 2 keeps the path of an asset in a variable that the initialisation assigns. The variable
counts as the asset if nothing else can assign it: all nodes that use the variable are in the graph
itself, and they only read it, ask whether it is initialised, or assign the asset while the model is
initialised, which is when the loader feeds it.
"""

from __future__ import annotations

from collections import defaultdict

from tfspark.operations.calls import GRAPH, RESTORE, SIGNATURE, Calls, node_of
from tfspark.saved_model.assets import assets_of
from tfspark.saved_model_pb2 import MetaGraphDef, NodeDef

ASSET, CHECKPOINT, OTHER = "asset", "checkpoint", "other"

# The most steps through one graph; a name that needs more counts as chosen by the model.
_MOST_STEPS_IN_ALL = 200_000

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_SAME = {"Identity", "StopGradient"}
_MOST_STEPS = 100


class FileNames:
    """Finds the origin of the names of files."""

    def __init__(self, graph: MetaGraphDef, calls: Calls) -> None:
        self._calls = calls
        self._objects = graph.object_graph_def
        self._assets = {_whole(one.tensor_info.name) for one in assets_of(graph)}
        self._checkpoint = _whole(graph.saver_def.filename_tensor_name)
        self._kinds: dict[tuple[str, str], set[str]] = {}
        self._positions: dict[str, dict[str, int]] = {}
        self._plain: dict[tuple[str, str], int] = {}
        self._held: dict[bytes, set[str]] = {}
        self._left = _MOST_STEPS_IN_ALL
        self._variables: dict[bytes, list[tuple[str, NodeDef]]] = defaultdict(list)
        for scope, node in calls.all_nodes:
            if node.op == "VarHandleOp":
                self._variables[_shared_name(node)].append((scope, node))
        self._users = self._users_of_variables()

    def kinds(self, scope: str, tensor: str, steps: int = 0) -> set[str]:
        """Return where a tensor comes from, in every call: `asset`, `checkpoint` or `other`."""
        place = (scope, _whole(tensor) if scope == GRAPH else tensor)
        if place not in self._kinds:
            self._kinds[place] = {OTHER}  # the result for a cycle
            self._kinds[place] = self._traced(*place, steps)
        return self._kinds[place]

    def _traced(self, scope: str, tensor: str, steps: int) -> set[str]:
        self._left -= 1
        if steps > _MOST_STEPS or self._left < 0:
            return {OTHER}
        if scope == GRAPH and tensor in self._assets:
            return {ASSET}
        if scope == GRAPH and tensor == self._checkpoint:
            return {CHECKPOINT}
        node = self._calls.nodes[scope].get(node_of(tensor))
        if node is None:
            return self._argument_kinds(scope, tensor, steps)
        if not _is_first(scope, tensor) or not node.input:
            return {OTHER}
        if node.op in _SAME:
            return self.kinds(scope, node.input[0], steps + 1)
        if node.op == "ReadVariableOp" and scope == GRAPH:
            return self._variable_kinds(node.input[0], steps)
        return {OTHER}

    def _argument_kinds(self, function: str, name: str, steps: int) -> set[str]:
        """Return where the argument of a function comes from."""
        at = self._position(function, name)
        if at is None:
            return {OTHER}
        found: set[str] = set()
        if self._calls.is_in_object_graph(function):
            found.add(self._bound_kind(function, at))
        for scope, call in self._calls.callers(function):
            if OTHER in found:  # nothing can change the answer any more
                break
            found |= self._given_kinds(function, at, scope, call, steps)
        return found or {OTHER}  # no caller is known

    def _position(self, function: str, name: str) -> int | None:
        """Return the position of an argument; `None` when an argument is several tensors."""
        if function == GRAPH:
            return None
        if function not in self._positions:
            arguments = self._calls.functions[function].signature.input_arg
            # An argument of several tensors shifts the positions after it.
            is_plain = not any(one.number_attr or one.type_list_attr for one in arguments)
            names = [one.name for one in arguments] if is_plain else []
            self._positions[function] = {one: at for at, one in enumerate(names)}
        return self._positions[function].get(name)

    def _given_kinds(
        self, function: str, at: int, scope: str, call: NodeDef, steps: int
    ) -> set[str]:
        """Return the origin of the tensor that a call passes as an argument."""
        is_plain = call.op == function or (
            call.op in _CALLS and call.attr["f"].func.name == function
        )
        if not is_plain or at >= self._plain_inputs(scope, call):
            return {OTHER}
        return self.kinds(scope, call.input[at], steps + 1)

    def _plain_inputs(self, scope: str, call: NodeDef) -> int:
        """Return how many of the first inputs of a call are one tensor each."""
        place = (scope, call.name)
        if place not in self._plain:
            self._plain[place] = next(
                (at for at, one in enumerate(call.input) if not self._is_plain(scope, one)),
                len(call.input),
            )
        return self._plain[place]

    def _is_plain(self, scope: str, tensor: str) -> bool:
        """Whether an input is one tensor; in a body, a name may stand for several."""
        if tensor.startswith("^"):
            return False
        return scope == GRAPH or tensor.count(":") == 2 or self._position(scope, tensor) is not None

    def _bound_kind(self, function: str, at: int) -> str:
        """Return what the object graph binds to an argument; it binds the last arguments."""
        bound = self._objects.concrete_functions[function].bound_inputs
        first = len(self._positions[function]) - len(bound)
        number = bound[at - first] if at >= first >= 0 else -1
        nodes = self._objects.nodes
        return ASSET if 0 <= number < len(nodes) and nodes[number].HasField("asset") else OTHER

    def _variable_kinds(self, handle: str, steps: int) -> set[str]:
        """Return the origins of the values that a variable may hold."""
        node = self._calls.nodes[GRAPH].get(node_of(handle))
        if node is None or node.op != "VarHandleOp":
            return {OTHER}
        name = _shared_name(node)
        if name not in self._held:
            self._held[name] = {OTHER}  # the result for a cycle
            self._held[name] = self._assigned(name, steps)
        return self._held[name]

    def _assigned(self, variable: bytes, steps: int) -> set[str]:
        """Return what the nodes of a variable may assign to it."""
        found: set[str] = set()
        for scope, one in self._variables[variable]:
            if scope != GRAPH:
                return {OTHER}
            for user in self._users[one.name]:
                found |= self._use(user, one.name, steps)
        return found or {OTHER}

    def _use(self, user: NodeDef, handle: str, steps: int) -> set[str]:
        if user.op in ("ReadVariableOp", "VarIsInitializedOp"):
            return set()
        if (
            user.op == "AssignVariableOp"
            and node_of(user.input[0]) == handle
            and not self._calls.occasions(GRAPH, user.name) & {SIGNATURE, RESTORE}
        ):
            return self.kinds(GRAPH, user.input[1], steps + 1)
        return {OTHER}

    def _users_of_variables(self) -> dict[str, list[NodeDef]]:
        names = {one.name for places in self._variables.values() for _, one in places}
        found: dict[str, list[NodeDef]] = defaultdict(list)
        for node in self._calls.nodes[GRAPH].values():
            for name in {node_of(one) for one in node.input if not one.startswith("^")} & names:
                found[name].append(node)
        return found


def _whole(tensor: str) -> str:
    """Return the name of a tensor of the graph with its number."""
    return tensor if ":" in tensor else f"{tensor}:0"


def _is_first(scope: str, tensor: str) -> bool:
    """Whether a tensor is the first result of its node."""
    parts = tensor.split(":")
    return parts[-1] == "0" and len(parts) == (2 if scope == GRAPH else 3)


def _shared_name(node: NodeDef) -> bytes:
    """Return the name of a variable in a session; variables without a name are the same one."""
    return node.attr["shared_name"].s if "shared_name" in node.attr else b""
