"""Finds out whether a signature of a model draws random numbers. Driver."""

from __future__ import annotations

from tfspark.operations.calls import SIGNATURE, Calls
from tfspark.saved_model_pb2 import MetaGraphDef

# Operations with a state or a seed of their own. The `Stateless…` operations compute their numbers
# from a seed that the graph feeds; if it is random, it comes from one of these.
_RANDOM = frozenset(
    [
        "AllCandidateSampler",
        "AnonymousRandomSeedGenerator",
        "AnonymousSeedGenerator",
        "FixedUnigramCandidateSampler",
        "LearnedUnigramCandidateSampler",
        "LogUniformCandidateSampler",
        "Multinomial",
        "NonDeterministicInts",
        "ParameterizedTruncatedNormal",
        "RandomCrop",
        "RandomGamma",
        "RandomPoisson",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "RngReadAndSkip",
        "RngSkip",
        "SampleDistortedBoundingBox",
        "SampleDistortedBoundingBoxV2",
        "StatefulRandomBinomial",
        "StatefulStandardNormal",
        "StatefulStandardNormalV2",
        "StatefulTruncatedNormal",
        "StatefulUniform",
        "StatefulUniformFullInt",
        "StatefulUniformInt",
        "ThreadUnsafeUnigramCandidateSampler",
        "TruncatedNormal",
        "UniformCandidateSampler",
    ]
)


def random_operations(graph: MetaGraphDef) -> tuple[str, ...]:
    """Return the random operations that run when a signature runs, sorted, each once."""
    library = graph.graph_def.library.function
    bodies = [graph.graph_def.node, *(function.node_def for function in library)]
    if not any(node.op in _RANDOM for body in bodies for node in body):
        return ()
    calls = Calls(graph)
    found = {
        node.op
        for scope, node in calls.all_nodes
        if node.op in _RANDOM and SIGNATURE in calls.occasions(scope, node.name)
    }
    return tuple(sorted(found))
