"""Finds the shapes and types that a signature leaves open in its graph.

Driver only; reads only the protocol buffer.

Invariants: shapes and types of the signature are kept. An open shape comes from `_output_shapes` in
the graph, through calls of functions, otherwise from the rules of `shape_rules`. If neither gives a
shape, it stays unknown; nothing is guessed. A graph may have cycles and any depth, and a hostile
graph may try to slow down its readers. So the number of looked-up nodes, of dimensions and of
values of constants is limited.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tfspark import dtypes
from tfspark.saved_model.graph_scopes import MOST_STEPS, End, GraphScopes, Tensor
from tfspark.saved_model.shape_rules import RULES, Values
from tfspark.saved_model_pb2 import DataType, GraphDef, NodeDef, TensorProto
from tfspark.signature import MOST_DIMENSIONS, Shape, Signature, TensorSpec, shape_of

# Up to this version of graphs, an empty shape of a placeholder means an unknown shape.
_LEGACY_VERSION = 21

_UNKNOWN_TYPE = dtypes.name_of(DataType.DT_INVALID)

# Operation → the attribute with the type of its result. Other operations have an unknown type.
_TYPE_ATTRIBUTES = {
    **dict.fromkeys(("Placeholder", "PlaceholderWithDefault", "Const", "VariableV2"), "dtype"),
    **dict.fromkeys(("Identity", "Add", "AddV2", "Sub", "Mul", "RealDiv", "MatMul"), "T"),
    **dict.fromkeys(("BiasAdd", "Sigmoid", "Softmax", "Relu", "Tanh", "Reshape", "Squeeze"), "T"),
    "Cast": "DstT",
}


def is_open(signature: Signature) -> bool:
    """Whether a signature leaves the rank or type of an input or output to its graph."""
    return any(
        spec.shape is None or spec.dtype == _UNKNOWN_TYPE
        for spec in (*signature.inputs, *signature.outputs)
    )


def completed(signatures: Iterable[Signature], graph: GraphDef) -> tuple[Signature, ...]:
    """Return signatures with the ranks and types that the graph knows."""
    shapes = GraphShapes(graph)
    return tuple(
        replace(
            signature,
            inputs=tuple(map(shapes.complete, signature.inputs)),
            outputs=tuple(map(shapes.complete, signature.outputs)),
        )
        for signature in signatures
    )


class GraphShapes:
    """Finds shapes and types of the tensors of a graph."""

    def __init__(self, graph: GraphDef) -> None:
        self.is_legacy = graph.versions.producer <= _LEGACY_VERSION
        self.scopes = GraphScopes(graph)
        self._shapes: dict[Tensor, Shape | None] = {}
        self._integers: dict[int, Values | None] = {}

    def complete(self, spec: TensorSpec) -> TensorSpec:
        """Return a spec with its open rank and type filled in, if the graph has them."""
        if not spec.tensor:  # a composite tensor is no tensor of the graph
            return spec
        tensor = (self.scopes.main, spec.tensor)
        if spec.dtype == _UNKNOWN_TYPE:
            spec = replace(spec, dtype=dtypes.name_of(self._type(tensor)))
        return replace(spec, shape=self.shape(tensor)) if spec.shape is None else spec

    def shape(self, tensor: Tensor, steps: int = 0) -> Shape | None:
        """Return the shape of a tensor after some steps; `None` for an unknown rank."""
        if tensor not in self._shapes and steps < MOST_STEPS:
            self._shapes[tensor] = None  # the result for a cycle
            end = self.scopes.end(tensor)
            shape = None if end is None else self._made(end, steps + 1)
            is_possible = shape is not None and len(shape) <= MOST_DIMENSIONS
            self._shapes[tensor] = shape if is_possible else None
        return self._shapes.get(tensor)

    def _made(self, end: End, steps: int) -> Shape | None:
        """Return the shape of a node's result."""
        said = end.node.attr["_output_shapes"].list.shape
        shape = shape_of(said[end.index]) if end.index < len(said) else None
        if shape is not None:
            return shape
        called = self.scopes.called(end)
        if called is not None:
            return self.shape(called, steps)
        rule = RULES.get(end.node.op)
        return None if rule is None or end.index else rule(_Operands(self, end, steps))

    def _type(self, tensor: Tensor) -> int:
        """Return the number of a tensor's type; 0 when it is unknown."""
        end = self.scopes.origin(tensor)
        name = None if end is None else _TYPE_ATTRIBUTES.get(end.node.op)
        return 0 if end is None or name is None else end.node.attr[name].type

    def integers(self, node: NodeDef) -> Values | None:
        """Return the integers of a constant of rank 0 or 1, read once."""
        key = id(node)  # the scope keeps the node alive
        if key not in self._integers:
            self._integers[key] = _integers(node.attr["value"].tensor)
        return self._integers[key]


@dataclass(frozen=True)
class _Operands:
    """The inputs of one node; see `shape_rules.Operands`."""

    shapes: GraphShapes
    end: End
    steps: int

    @property
    def node(self) -> NodeDef:
        return self.end.node

    @property
    def is_legacy(self) -> bool:
        return self.shapes.is_legacy

    def shape(self, index: int) -> Shape | None:
        tensor = self._input(index)
        return None if tensor is None else self.shapes.shape(tensor, self.steps)

    def values(self, index: int) -> Values | None:
        end = self._origin(index)
        if end is None or self.steps >= MOST_STEPS:
            return None
        if end.node.op == "Pack":  # packs single sizes into a shape, or axes into a list
            inside = _Operands(self.shapes, end, self.steps + 1)
            count = end.node.attr["N"].i
            if count > min(len(end.node.input), MOST_DIMENSIONS):
                return None
            parts = [inside.values(part) or (None,) for part in range(count)]
            return None if any(len(part) > 1 for part in parts) else [one for (one,) in parts]
        return self.shapes.integers(end.node) if end.node.op == "Const" else None

    def variable(self, index: int) -> Shape | None:
        end = self._origin(index)
        if end is None or end.node.op != "VarHandleOp":
            return None
        return shape_of(end.node.attr["shape"].shape)

    def op(self, index: int) -> str:
        end = self._origin(index)
        return "" if end is None else end.node.op

    def _origin(self, index: int) -> End | None:
        tensor = self._input(index)
        return None if tensor is None else self.shapes.scopes.origin(tensor)

    def _input(self, index: int) -> Tensor | None:
        names = self.end.node.input
        if index >= len(names) or names[index].startswith("^"):
            return None
        return self.end.scope, names[index]


def _integers(tensor: TensorProto) -> Values | None:
    """Return the integers of a constant of rank 0 or 1; its last value replaces missing ones."""
    shape = shape_of(tensor.tensor_shape)
    if shape is None or len(shape) > 1 or None in shape:
        return None
    width = {DataType.DT_INT32: "<i4", DataType.DT_INT64: "<i8"}.get(tensor.dtype)
    count = 1 if shape == () else shape[0] or 0
    if width is None or count > MOST_DIMENSIONS:
        return None
    if tensor.tensor_content:
        if len(tensor.tensor_content) != count * np.dtype(width).itemsize:
            return None
        content: list[int] = np.frombuffer(tensor.tensor_content, width).tolist()
        return content
    found = list((tensor.int_val or tensor.int64_val)[:count]) or [0] * bool(count)
    return [*found, *found[-1:] * (count - len(found))]
