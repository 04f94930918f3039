"""Finds the features that a graph parses from the serialized Examples of an input.

Driver only; reads only the protocol buffer.

Follows the outputs of a signature back to the operations that parse Examples, through calls of
functions and the loops of `tf.map_fn`, but not into functions of `tf.data`. An operation belongs to
an input if it parses unchanged elements of this input. Names, types and defaults come from
attributes and constants; if a name is not a constant, the features of the operation stay unknown.
The look-ups in a graph are limited; see `graph_scopes`.

Source: the operations `ParseExample`, `ParseExampleV2` and `ParseSingleExample`
(core/ops/parsing_ops.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile

from tfspark import dtypes
from tfspark.features import FeatureSpec
from tfspark.saved_model.graph_scopes import MOST_STEPS, End, GraphScopes, Scope, Tensor
from tfspark.saved_model_pb2 import GraphDef, NodeDef, TensorProto
from tfspark.signature import Shape, Signature, TensorSpec, shape_of

_PARSERS = {"ParseExample", "ParseExampleV2", "ParseSingleExample"}
# Operations whose results are elements of their first input.
_KEEPS_ELEMENTS = {
    *("EnsureShape", "ExpandDims", "GatherV2", "Reshape", "Squeeze", "StridedSlice"),
    *("TensorListFromTensor", "TensorListGetItem", "Unpack"),
}
_SOURCES = {"Placeholder", "PlaceholderWithDefault"}
_KINDS = {"float32", "int64", "string"}


def with_features(signatures: Iterable[Signature], graph: GraphDef) -> tuple[Signature, ...]:
    """Return signatures whose inputs have the features that the graph parses from them."""
    given = tuple(signatures)
    if not _parses(graph):
        return given
    return tuple(_with_features(signature, GraphScopes(graph)) for signature in given)


def _parses(graph: GraphDef) -> bool:
    bodies = (function.node_def for function in graph.library.function)
    return any(node.op in _PARSERS for nodes in (graph.node, *bodies) for node in nodes)


def _with_features(signature: Signature, scopes: GraphScopes) -> Signature:
    found: dict[str, list[_Parser]] = {}
    outputs = [(scopes.main, spec.tensor) for spec in signature.outputs if spec.tensor]
    for parser in _parsers(scopes, outputs):
        source = _source(scopes, (parser.scope, parser.node.input[0]))
        if source and source.scope is scopes.main and source.node.op in _SOURCES:
            found.setdefault(source.node.name, []).append(parser)

    def completed(spec: TensorSpec) -> TensorSpec:
        parsers = found.get(spec.tensor.partition(":")[0], ())
        return replace(spec, features=_merged(parsers)) if parsers else spec

    if scopes.is_exhausted:  # some operations may not have been found
        return signature
    return replace(signature, inputs=tuple(map(completed, signature.inputs)))


def _source(scopes: GraphScopes, tensor: Tensor) -> End | None:
    """Return the node that makes the elements of a tensor; skip nodes that only move them."""
    for _ in range(MOST_STEPS):
        end = scopes.origin(tensor)
        if end is None or end.node.op not in _KEEPS_ELEMENTS or not end.node.input:
            return end
        tensor = (end.scope, end.node.input[0])
    return None


def _parsers(scopes: GraphScopes, outputs: Iterable[Tensor]) -> Iterator[_Parser]:
    """Yield each operation that parses Examples for one of the outputs."""
    # Iterators, not lists: each of many scopes may have a node with many inputs.
    todo, seen = [iter(outputs)], set()
    while todo and not scopes.is_exhausted:
        tensor = next(todo[-1], None)
        made = None if tensor is None else scopes.maker(tensor)
        if tensor is None:
            todo.pop()
        if tensor is None or made is None:
            continue
        scope, node = made
        end = scopes.end(tensor)
        called = None if end is None else scopes.called(end)
        key = (scope, node.name, 0 if called is None or end is None else end.index)
        if key in seen:
            continue
        seen.add(key)
        if called is not None:
            todo.append(iter([called]))
        elif node.op in _PARSERS and node.input:
            yield _Parser(scopes, scope, node)
        else:
            todo.append(chain(scopes.looped(End(scope, node, 0)), _operands(scope, node)))


def _operands(scope: Scope, node: NodeDef) -> Iterator[Tensor]:
    """Yield the inputs of a node without its control inputs, which come last."""
    return ((scope, name) for name in takewhile(lambda name: not name.startswith("^"), node.input))


def _merged(parsers: Sequence[_Parser]) -> tuple[FeatureSpec, ...]:
    """Return the features of all operations, sorted; empty if those of one are unknown."""
    merged: dict[str, FeatureSpec] = {}
    for parser in parsers:
        features = parser.features()
        if features is None:
            return ()
        for one in features:
            known = merged.setdefault(one.name, one)
            merged[one.name] = one if one.is_required else known
    return tuple(merged[name] for name in sorted(merged))


@dataclass(frozen=True)
class _Parser:
    """A node that parses Examples."""

    scopes: GraphScopes
    scope: Scope
    node: NodeDef

    def features(self) -> list[FeatureSpec] | None:
        """Return the features; `None` if a name, a type or a shape is unknown."""
        attr = self.node.attr
        lists = [*attr["sparse_types"].list.type, *attr["ragged_value_types"].list.type]
        dense = attr["Tdense"].list.type
        shapes = [shape_of(proto) for proto in attr["dense_shapes"].list.shape]
        names, defaults = self._operands(len(dense), len(lists))
        if names is None or None in shapes or len(shapes) != len(dense):
            return None
        needed = map(self._is_needed, shapes, defaults)
        kinds = [dtypes.name_of(number) for number in (*lists, *dense)]
        if not _KINDS.issuperset(kinds):
            return None
        rows: list[Shape | None] = [(None,) for _ in lists]
        return [
            FeatureSpec(name, kind, row or (), is_required)
            for name, kind, row, is_required in zip(
                names, kinds, [*rows, *shapes], [*(False for _ in lists), *needed], strict=True
            )
        ]

    def _operands(self, dense: int, lists: int) -> tuple[list[str] | None, Sequence[str]]:
        """Return the names of the sparse, ragged and dense features, and the dense defaults."""
        rest = [name for name in self.node.input if not name.startswith("^")][1:]
        if self.node.op == "ParseSingleExample":  # the names are attributes
            keys = (self.node.attr[f"{kind}_keys"].list.s for kind in ("sparse", "dense"))
            found, defaults = [_decoded(texts) for texts in keys], rest
        elif self.node.op == "ParseExample":  # each name is an operand of its own
            names, defaults = rest[1 : lists + dense + 1], rest[lists + dense + 1 :]
            found = [self._texts(name) for name in names]
        else:
            sparse, of_dense, ragged = (*rest[1:4], "", "", "")[:3]
            defaults = rest[4:]
            found = [self._texts(name) for name in (sparse, ragged, of_dense)]
        known = [text for texts in found if texts is not None for text in texts]
        is_whole = None not in found and len(known) == lists + dense and len(defaults) == dense
        return known if is_whole else None, defaults

    def _texts(self, operand: str) -> list[str] | None:
        """Return the texts of a constant; `None` if it is none."""
        tensor = self._constant(operand)
        return None if tensor is None else _decoded(tensor.string_val)

    def _is_needed(self, row: Shape | None, default: str) -> bool:
        """Whether a dense feature has no default: its constant has no elements.

        A missing feature of open length is an empty list; its default only pads the lists.
        """
        tensor = self._constant(default)
        is_open = row is not None and row[:1] == (None,)
        return not is_open and tensor is not None and 0 in (shape_of(tensor.tensor_shape) or ())

    def _constant(self, operand: str) -> TensorProto | None:
        end = self.scopes.origin((self.scope, operand))
        return None if end is None or end.node.op != "Const" else end.node.attr["value"].tensor


def _decoded(texts: Iterable[bytes]) -> list[str] | None:
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError:
        return None
