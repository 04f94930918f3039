"""Finds the features that a graph parses from the serialized Examples of an input.

Driver only; reads only the protocol buffer.

Follows the outputs of a signature back to the operations that parse Examples, through calls of
functions. An operation counts for an input if its strings come from this input without a change.
Names, types and defaults come from constants; if a name is not a constant, the features of the
operation stay unknown. Nothing is guessed. The look-ups in a graph are limited; see `graph_scopes`.

Source: the operations `ParseExample` and `ParseExampleV2` (core/ops/parsing_ops.cc).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tfspark import dtypes
from tfspark.features import FeatureSpec
from tfspark.saved_model.graph_scopes import GraphScopes, Scope, Tensor
from tfspark.saved_model_pb2 import GraphDef, NodeDef, TensorProto
from tfspark.signature import Shape, Signature, TensorSpec, shape_of

_PARSERS = {"ParseExample", "ParseExampleV2"}
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
        source = scopes.origin((parser.scope, parser.node.input[0]))
        if source and source.scope is scopes.main and source.node.op in _SOURCES:
            found.setdefault(source.node.name, []).append(parser)

    def completed(spec: TensorSpec) -> TensorSpec:
        parsers = found.get(spec.tensor.partition(":")[0], ())
        return replace(spec, features=_merged(parsers)) if parsers else spec

    return replace(signature, inputs=tuple(map(completed, signature.inputs)))


def _parsers(scopes: GraphScopes, outputs: Iterable[Tensor]) -> Iterator[_Parser]:
    """Yield each operation that parses Examples for one of the outputs."""
    todo, seen = list(outputs), set()
    while todo:
        tensor = todo.pop()
        made = scopes.maker(tensor)
        if made is None:
            continue
        scope, node = made
        end = scopes.end(tensor)
        called = None if end is None else scopes.called(end)
        key = (scope, node.name, 0 if called is None or end is None else end.index)
        if key in seen:
            continue
        seen.add(key)
        if called is not None:
            todo.append(called)
        elif node.op in _PARSERS and node.input:
            yield _Parser(scopes, scope, node)
        else:
            todo += [(scope, name) for name in node.input if not name.startswith("^")]


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
        rest = [name for name in self.node.input if not name.startswith("^")][2:]
        if self.node.op == "ParseExample":  # each name is an operand of its own
            keys, defaults = rest[: lists + dense], rest[lists + dense :]
        else:
            sparse, of_dense, ragged = (*rest[:3], "", "", "")[:3]
            keys, defaults = [sparse, ragged, of_dense], rest[3:]
        found = [self._texts(key) for key in keys]
        known = [text for texts in found if texts is not None for text in texts]
        is_whole = None not in found and len(known) == lists + dense and len(defaults) == dense
        return known if is_whole else None, defaults

    def _texts(self, operand: str) -> list[str] | None:
        """Return the texts of a constant; `None` if it is none."""
        tensor = self._constant(operand)
        if tensor is None:
            return None
        try:
            return [text.decode() for text in tensor.string_val]
        except UnicodeDecodeError:
            return None

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
