"""Looks up nodes in a graph and in its functions.

Follows the name of a tensor to the node that makes it, into the bodies of functions and back out
through their arguments. Driver only; reads the protocol buffer alone.

A graph may have cycles and any depth. A hostile graph may try to slow down its readers. Therefore
the look-ups are limited, and all calls of a function share the data of its body.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tfspark.saved_model_pb2 import GraphDef, NodeDef

# The most nodes between an output and a known shape; each uses some frames of Python's stack.
MOST_STEPS = 100
# Look-ups of nodes in one graph; a node that is looked up twice counts twice.
_MOST_NODES = 30_000
# The longest name of a tensor that is looked up, and the most digits of its output number.
_LONGEST_NAME = 10_000
_MOST_DIGITS = 9

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
_LOOPS = {"While", "StatelessWhile"}


@dataclass(eq=False)
class Scope:
    """The graph, or the body of a function for one calling node.

    Attributes:
        nodes: The nodes, by name.
        arguments: Argument of the function → its position among the inputs of the call.
        call: The calling node; `None` for the graph.
    """

    nodes: Mapping[str, NodeDef]
    arguments: Mapping[str, int] = field(default_factory=dict)
    call: End | None = None


# A tensor has a name within its scope: `node:1` in the graph, `node:output:1` in a body.
Tensor: TypeAlias = tuple[Scope, str]


@dataclass(frozen=True)
class End:
    """The node that makes a tensor, and the index of the tensor among its results."""

    scope: Scope
    node: NodeDef
    index: int


@dataclass(frozen=True)
class _Body:
    """The data of a function that all its calls share.

    Attributes:
        nodes: The nodes, by name.
        arguments: Argument → its position.
        results: The tensors in the body that the function returns, in order.
        unchanged: The arguments that are also the result at their position.
    """

    nodes: Mapping[str, NodeDef]
    arguments: Mapping[str, int]
    results: Sequence[str]
    unchanged: Mapping[str, int]


class GraphScopes:
    """The nodes of a graph and of its functions."""

    def __init__(self, graph: GraphDef) -> None:
        self.main = Scope({node.name: node for node in graph.node})
        self._functions = {one.signature.name: one for one in graph.library.function}
        self._bodies: dict[str, _Body | None] = {}
        self._scopes: dict[Tensor, Scope] = {}
        self._looked_up = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit of look-ups is reached; later look-ups then find nothing."""
        return self._looked_up > _MOST_NODES

    def end(self, tensor: Tensor) -> End | None:
        """Return the node that makes a tensor; an argument leads to the calling scope."""
        found = self._found(tensor)
        if found is None:
            return None
        (scope, node), rest = found
        output, _, number = rest.rpartition(":")
        if output and not _is_counted(node):
            return None
        is_number = number.isdecimal() and len(number) <= _MOST_DIGITS
        return End(scope, node, int(number) if is_number else 0)

    def maker(self, tensor: Tensor) -> tuple[Scope, NodeDef] | None:
        """Return the node that makes a tensor, also if the index of the tensor is unknown."""
        found = self._found(tensor)
        return None if found is None else found[0]

    def _found(self, tensor: Tensor) -> tuple[tuple[Scope, NodeDef], str] | None:
        """Return the node that makes a tensor, and the output and number in the tensor's name."""
        self._looked_up += 1
        scope, text = tensor
        while scope.call is not None and text in scope.arguments:
            text = scope.call.node.input[scope.arguments[text]]
            scope = scope.call.scope
        if self.is_exhausted or len(text) > _LONGEST_NAME:
            return None
        name, _, rest = text.partition(":")
        node = scope.nodes.get(name)
        return None if node is None else ((scope, node), rest)

    def called(self, end: End) -> Tensor | None:
        """Return the tensor in a function's body that a call returns; `None` for no call."""
        if end.node.op not in _CALLS:
            return None
        body = self._body(end.node.attr["f"].func.name)
        if body is None or not _has_inputs(end.node, len(body.arguments)):
            return None
        if end.index >= len(body.results):
            return None
        key = (end.scope, end.node.name)
        if key not in self._scopes:
            self._scopes[key] = Scope(body.nodes, body.arguments, end)
        return self._scopes[key], body.results[end.index]

    def looped(self, end: End) -> Iterator[Tensor]:
        """Yield the results of a loop's body, as tensors in the body; nothing for other nodes.

        An argument of the body leads back to the input of the loop only if no iteration changes it.
        """
        if end.node.op in _LOOPS:
            body = self._body(end.node.attr["body"].func.name)
            if body is not None and _has_inputs(end.node, len(body.arguments)):
                key = (end.scope, end.node.name)
                if key not in self._scopes:
                    self._scopes[key] = Scope(body.nodes, body.unchanged, end)
                yield from ((self._scopes[key], result) for result in body.results)

    def origin(self, tensor: Tensor) -> End | None:
        """Return the node that makes a tensor; follow calls into the bodies of functions."""
        for _ in range(MOST_STEPS):
            end = self.end(tensor)
            if end is None:
                return None
            passed = self.called(end)
            if passed is None and end.node.op == "Identity" and end.node.input:
                passed = (end.scope, end.node.input[0])
            if passed is None:
                return end
            tensor = passed
        return None

    def _body(self, name: str) -> _Body | None:
        """Return the body of a function; `None` if an argument or a result is several tensors."""
        if name in self._functions and name not in self._bodies:
            function = self._functions[name]
            inputs, outputs = function.signature.input_arg, function.signature.output_arg
            arguments = {one.name: at for at, one in enumerate(inputs)}
            is_plain = len(arguments) == len(inputs) and not any(
                one.number_attr or one.type_list_attr for one in (*inputs, *outputs)
            )
            nodes = {node.name: node for node in function.node_def}
            results = [function.ret.get(one.name, "") for one in outputs]
            same = {one: at for one, at in arguments.items() if results[at : at + 1] == [one]}
            body = _Body(nodes, arguments, results, same)
            self._bodies[name] = body if is_plain else None
        return self._bodies.get(name)


def _has_inputs(call: NodeDef, count: int) -> bool:
    """Whether a call has this number of inputs; control inputs follow them."""
    inputs = call.input
    return (
        len(inputs) >= count
        and not (count and inputs[count - 1].startswith("^"))
        and (len(inputs) == count or inputs[count].startswith("^"))
    )


def _is_counted(node: NodeDef) -> bool:
    """Whether the number after an output's name in a body is an index of all results of a node.

    For an operation with several outputs it is an index within one output, and only the definition
    of the operation gives the sizes of its outputs.
    """
    return node.op in _CALLS or len(node.attr["_output_shapes"].list.shape) <= 1
