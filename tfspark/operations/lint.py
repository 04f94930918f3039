"""Finds the operations of a model that do more than compute.

Driver only; nothing is run. All nodes are checked, including nodes of functions and of graphs
inside constants, even when nothing runs them. Two exceptions need no permission, because every
SavedModel with variables or vocabularies has them:

- operations that restore the checkpoint, if they can open only the model's own checkpoint, and
  operations that save it, if nothing runs them;
- tables that are initialised from an asset of the export dir.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tfspark.operations.calls import GRAPH, INIT, LOADER, RESTORE, SAVE, SIGNATURE, Calls, inside
from tfspark.operations.file_names import ASSET, CHECKPOINT, FileNames
from tfspark.operations.inner_graph import graph_in
from tfspark.operations.known import UNKNOWN, touches
from tfspark.saved_model_pb2 import AttrValue, DataType, MetaGraphDef, NodeDef

# Operation → position of the input that names the file.
_RESTORES = {"RestoreV2": 0, "Restore": 0, "RestoreSlice": 0}
_TABLES = {"InitializeTableFromTextFile": 1, "InitializeTableFromTextFileV2": 1}
_SAVES = {"SaveV2", "Save", "SaveSlices", "MergeV2Checkpoints"}

# Operation → attribute that can name a file, its harmless values, and what other values touch.
_HARMLESS = {
    "PrintV2": (
        "output_stream",
        re.compile(rb"|stdout|stderr|log\((info|warning|error)\)"),
        "files",
    ),
    "DecodeProtoV2": (
        "descriptor_source",
        re.compile(rb"|local://|bytes://.*", re.DOTALL),
        "files",
    ),
    "EncodeProto": ("descriptor_source", re.compile(rb"|local://|bytes://.*", re.DOTALL), "files"),
    "FixedUnigramCandidateSampler": ("vocab_file", re.compile(rb""), "files"),
    # MLIR in binary form, which contains names as plain text.
    "XlaCallModule": (
        "module",
        re.compile(rb"ML\xefR(?!.*custom_call).*", re.DOTALL),
        "code outside the graph",
    ),
}

# Operations that make a tensor from bytes. A resource made this way can be another node's variable.
_FROM_BYTES = {"Const", "HostConst", "ParseTensor", "DeserializeSparse", "DeserializeManySparse"}
# A variant can hold resources.
_RESOURCES = {DataType.DT_RESOURCE, DataType.DT_VARIANT}

_DEEPEST = 4
_TOO_DEEP = "graphs inside graphs, too deep to be checked"
# The most characters of a name in a message.
_LONGEST = 200


@dataclass(frozen=True)
class Finding:
    """An operation of a model that touches more than tensors.

    Attributes:
        op: The operation, such as `WriteFile`; `allow_ops` takes this name.
        touches: What it touches: files, the network, other processes, …
        node: The node that runs it.
        function: The function of the node; empty for the graph itself.
    """

    op: str
    touches: str
    node: str
    function: str

    def __str__(self) -> str:
        op, node, function = map(_short, (self.op, self.node, self.function))
        where = f"node {node!r}" + (f" of {function!r}" if function else "")
        return f"{op} in {where} touches {self.touches}"


def _short(name: str) -> str:
    """Return a name of the model for a message; it may be of any length."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"


def findings_of(graph: MetaGraphDef) -> tuple[Finding, ...]:
    """Return the operations that do more than compute, except those that are safe.

    Raises:
        InvalidModelError: When names in the graph are ambiguous.
    """
    calls = Calls(graph)
    names = FileNames(graph, calls)
    found = [
        Finding(node.op, what, node.name, scope)
        for scope, node in calls.all_nodes
        if (what := _touches(node)) and not _is_own(node, scope, calls, names)
    ]
    texts = (one for where, text in calls.graphs for one in _inside(where, text, _DEEPEST))
    return (*found, *texts)


def _touches(node: NodeDef) -> str | None:
    """Return what a node touches, from its operation and its attributes."""
    op = node.op
    if op in _HARMLESS:
        attribute, pattern, what = _HARMLESS[op]
        if attribute in node.attr and not _is_literal(node.attr[attribute], pattern):
            return what
    if op in _FROM_BYTES and any(map(_may_be_resource, node.attr.values())):
        return "resources of other nodes"
    return touches(op)


def _is_literal(value: AttrValue, pattern: re.Pattern[bytes]) -> bool:
    """Whether an attribute is a text that matches the pattern, and not set by a caller."""
    return value.WhichOneof("value") in (None, "s") and bool(pattern.fullmatch(value.s))


def _may_be_resource(value: AttrValue) -> bool:
    kinds = {value.type, *value.list.type}
    return value.WhichOneof("value") == "placeholder" or not kinds.isdisjoint(_RESOURCES)


def _is_own(node: NodeDef, scope: str, calls: Calls, names: FileNames) -> bool:
    """Whether a node opens only the model's own checkpoint and assets."""
    op, occasions = node.op, calls.occasions(scope, node.name)
    is_dead = scope == GRAPH and not occasions  # a saver that is left over from training
    if op in _SAVES:
        return is_dead or occasions == {SAVE}
    # The loader feeds the names of files only while it restores and initialises.
    if op in _RESTORES:
        at, kind, elsewhere = _RESTORES[op], CHECKPOINT, {SIGNATURE, INIT, LOADER}
        if any(map(_may_be_resource, node.attr.values())):
            return False
    elif op in _TABLES:
        at, kind, elsewhere = _TABLES[op], ASSET, {SIGNATURE, RESTORE}
    else:
        # A function of the model is fine if its name is not an operation of TensorFlow.
        return op in calls.functions and touches(op) == UNKNOWN
    if is_dead:
        return True
    is_fed = at < len(node.input) and names.kinds(scope, node.input[at]) == {kind}
    return is_fed and not occasions & elsewhere


def _inside(where: str, text: bytes, depth: int) -> Iterator[Finding]:
    """Yield the findings in a graph that a node contains as bytes."""
    graph = graph_in(text)
    if graph is None:
        return
    own = {one.signature.name for one in graph.library.function}
    bodies = [graph.node, *(one.node_def for one in graph.library.function)]
    for inner in (one for body in bodies for one in body):
        what = _touches(inner)
        if what and not (what == UNKNOWN and inner.op in own):
            yield Finding(inner.op, what, inner.name, where)
        for deeper in inside(inner)[1]:
            if depth:
                yield from _inside(where, deeper, depth - 1)
            elif graph_in(deeper):
                yield Finding(inner.op, _TOO_DEEP, inner.name, where)
