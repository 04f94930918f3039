"""Recognises a graph that a model holds as bytes, such as in a constant. Driver only."""

from __future__ import annotations

import re

from google.protobuf.message import DecodeError

from tfspark.saved_model_pb2 import GraphDef

# A node of `ReadFile`, whose name has one letter.
_SHORTEST = 15

_OP_NAME = re.compile(r"[A-Z_][A-Za-z0-9_>]*")


def graph_in(text: bytes) -> GraphDef | None:
    """Return the graph that a text contains; `None` when it is not a graph.

    The fields of a protocol buffer may be in any order. But the operation of a node always begins
    with the key of its field: the byte 18, or a padded form that ends with a byte 0. So a text with
    neither contains no node.
    """
    if len(text) < _SHORTEST or not (b"\x12" in text or b"\0" in text):
        return None
    try:
        graph = GraphDef.FromString(text)
    except DecodeError:
        return None
    own = {one.signature.name for one in graph.library.function}
    is_graph = all(
        node.name and (_OP_NAME.fullmatch(node.op) or node.op in own) for node in graph.node
    )
    return graph if is_graph and (graph.node or own) else None
