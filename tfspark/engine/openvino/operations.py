"""Checks the graph: does OpenVINO compute a signature as TensorFlow does? Executor.

OpenVINO converts many operations that it computes differently from TensorFlow. It drops assertions,
gives zeros for an index out of range, computes 64-bit numbers with 32 bits, and compares integers
as floats. So a signature may contain only the operations and types in this module. A test compares
the results of each operation with TensorFlow's.

Invariant: operations and types that are not listed are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tfspark.dtypes import name_of
from tfspark.engine.protocol import CannotServeError
from tfspark.errors import explain, listing
from tfspark.operations.calls import Calls
from tfspark.saved_model.graph_file import BINARY, graph_of, read
from tfspark.saved_model_pb2 import AttrValue, NodeDef
from tfspark.signature import Signature

HINT = 'leave out engine="openvino" (--engine openvino), so that TensorFlow runs the model.'

# Operations that do not change values: structure, constants, read variables, and calls.
_STRUCTURE = """
    Const Identity IdentityN NoOp PartitionedCall Placeholder PreventGradient ReadVariableOp
    StatefulPartitionedCall StopGradient VarHandleOp
"""
_SHAPES = """
    BroadcastTo ConcatV2 ExpandDims Fill GatherV2 OneHot OnesLike Pack Pad PadV2 Prod Range
    Reshape ResourceGather ReverseV2 Shape Size Split SplitV Squeeze StridedSlice Tile
    Transpose Unpack ZerosLike
"""
_NUMBERS = """
    Abs Add AddN AddV2 ArgMax AvgPool BatchMatMulV2 BiasAdd Cast Ceil Conv2D Cos
    DepthwiseConv2dNative DivNoNan Einsum Elu Equal Erf Erfc Exp Floor FusedBatchNormV3 Greater
    GreaterEqual LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr
    MatMul Max MaxPool Maximum Mean Min Minimum Mul Neg NotEqual Pow RealDiv Relu Relu6
    ResizeBilinear ResizeNearestNeighbor Rsqrt Select SelectV2 Selu Sigmoid Sin Softmax Softplus
    Softsign Sqrt Square SquaredDifference Sub Sum Tanh
"""
_BATCH_NORM = "FusedBatchNormV3"  # in training mode by default
OPERATIONS = frozenset((_STRUCTURE + _SHAPES + _NUMBERS).split())

_FLOAT, _INTEGERS, _BOOL, _RESOURCE = 1, (3, 4, 5, 6, 9), 10, 20
_TYPES = frozenset((_FLOAT, *_INTEGERS, _BOOL, _RESOURCE))

INPUT_TYPES = frozenset(name_of(number) for number in _TYPES - {_RESOURCE})


def check(export_dir: str, tags: tuple[str, ...], signature: Signature) -> frozenset[str]:
    """Refuse a signature whose results may differ between OpenVINO and TensorFlow.

    Args:
        export_dir: The folder of the model.
        tags: The tag set of the graph.
        signature: The signature to run.

    Returns:
        The names of the inputs that an output depends on.

    Raises:
        CannotServeError: The message names the unsupported operations and types.
        InvalidModelError: When the graph file is broken.
    """
    file = Path(export_dir) / BINARY
    if not file.is_file():
        raise cannot("a graph in text form", expected=BINARY)
    calls = Calls(graph_of(read(file.parent, {BINARY: file}), tags))
    tensors = [spec.tensor for spec in signature.outputs]
    reasons = {
        reason
        for node in calls.needed_nodes(tensors)
        if node.op not in calls.functions
        for reason in _reasons(node)
    }
    reasons.update(_of_types(signature))
    if reasons:
        raise cannot(listing(sorted(reasons)))
    return frozenset(
        spec.name for spec in signature.inputs if calls.is_needed(spec.tensor, tensors)
    )


def cannot(found: str, *, expected: str = "") -> CannotServeError:
    """Return the error of a model whose results may differ from TensorFlow's."""
    return CannotServeError(
        explain(
            "OpenVINO cannot run this model exactly as TensorFlow does.",
            expected=expected or "only operations and types whose results are compared in tests",
            found=found,
            hint=HINT,
        )
    )


def _reasons(node: NodeDef) -> Iterator[str]:
    if node.op not in OPERATIONS:
        yield node.op
        return
    if node.op == _BATCH_NORM and not (
        "is_training" in node.attr and not node.attr["is_training"].b
    ):
        yield f"{node.op} in training mode"
    for attribute in node.attr.values():
        yield from (
            f"{node.op} of {name_of(number)}"
            for number in _types(attribute)
            if number not in _TYPES
        )


def _types(attribute: AttrValue) -> list[int]:
    kind = attribute.WhichOneof("value")
    if kind == "type":
        return [attribute.type]
    return list(attribute.list.type) if kind == "list" else []


def _of_types(signature: Signature) -> Iterator[str]:
    for what, specs in (("input", signature.inputs), ("output", signature.outputs)):
        for spec in specs:
            if spec.dtype not in INPUT_TYPES:
                yield f"{what} {spec.name!r} of {spec.dtype}"
