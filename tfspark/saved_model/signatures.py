"""Reads the signatures of a graph, and adds missing shapes and features from the graph. Driver."""

from __future__ import annotations

from tfspark.saved_model.graph_shapes import completed, is_open
from tfspark.saved_model.parsed_examples import with_features
from tfspark.saved_model_pb2 import MetaGraphDef
from tfspark.signature import Signature

# TensorFlow's internal signature that initialises tables; users do not call it.
_INIT_SIGNATURE = "__saved_model_init_op"


def signatures_of(graph: MetaGraphDef) -> tuple[Signature, ...]:
    """Return the signatures of a graph, sorted by name, with shapes and features from the graph."""
    signatures = tuple(
        Signature.from_proto(name, graph.signature_def[name])
        for name in sorted(graph.signature_def)
        if name != _INIT_SIGNATURE
    )
    if any(map(is_open, signatures)):
        signatures = completed(signatures, graph.graph_def)
    return with_features(signatures, graph.graph_def)
