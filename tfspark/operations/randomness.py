"""Finds out whether a signature of a model draws random numbers. Driver."""

from __future__ import annotations

from tfspark.operations.calls import SIGNATURE, Calls
from tfspark.operations.known import is_random
from tfspark.saved_model_pb2 import MetaGraphDef


def random_operations(graph: MetaGraphDef) -> tuple[str, ...]:
    """Return the random operations that run when a signature runs, sorted, each once."""
    library = graph.graph_def.library.function
    bodies = [graph.graph_def.node, *(function.node_def for function in library)]
    if not any(is_random(node.op) for body in bodies for node in body):
        return ()
    calls = Calls(graph)
    found = {
        node.op
        for scope, node in calls.all_nodes
        if is_random(node.op) and SIGNATURE in calls.occasions(scope, node.name)
    }
    return tuple(sorted(found))
