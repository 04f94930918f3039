"""Computes the shape of an operation's result from its operands, with one rule per operation.

A rule takes a node with its operands and returns a shape, or `None` when it is unknown. Driver
only.

Invariants: tests compare each rule with TensorFlow's own shape function (core/ops/*.cc); a result
is never more precise than TensorFlow's. The rules cover the operations that are common between a
known shape and an output of a model; other operations have no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from tfspark.saved_model_pb2 import NodeDef
from tfspark.signature import MOST_DIMENSIONS, Shape, shape_of

Values: TypeAlias = Sequence[int | None]


class Operands(Protocol):
    """The view that a rule has of a node and its inputs."""

    @property
    def node(self) -> NodeDef:
        """The node, with its attributes."""

    @property
    def is_legacy(self) -> bool:
        """Whether the graph is so old that an empty shape means an unknown shape."""

    def shape(self, index: int) -> Shape | None:
        """Return the shape of an input; `None` when its rank is unknown."""

    def values(self, index: int) -> Values | None:
        """Return the integers of an input; `None` for each that is known only in a run."""

    def variable(self, index: int) -> Shape | None:
        """Return the shape of a variable; the input is its handle."""

    def op(self, index: int) -> str:
        """Return the name of the operation that makes an input."""


Rule: TypeAlias = Callable[[Operands], Shape | None]


def _attribute(operands: Operands) -> Shape | None:
    return shape_of(operands.node.attr["shape"].shape) if "shape" in operands.node.attr else None


def _placeholder(operands: Operands) -> Shape | None:
    shape = _attribute(operands)
    return None if operands.is_legacy and not shape else shape


def _ensured(operands: Operands) -> Shape | None:
    shape = operands.shape(0)
    return _attribute(operands) if shape is None else shape


def _constant(operands: Operands) -> Shape | None:
    return shape_of(operands.node.attr["value"].tensor.tensor_shape)


def _first(operands: Operands) -> Shape | None:
    return operands.shape(0)


def _read(operands: Operands) -> Shape | None:
    return operands.variable(0)


def _found_keys(operands: Operands) -> Shape | None:
    # The values of other tables may be tensors.
    return operands.shape(1) if operands.op(0) in {"HashTable", "HashTableV2"} else None


def _broadcast(operands: Operands) -> Shape | None:
    """Broadcast from the last dimension; an unknown size takes a known size that is not 1."""
    left, right = operands.shape(0), operands.shape(1)
    if left is None or right is None:
        return None
    rank = max(len(left), len(right))
    pairs = zip(_padded(left, rank), _padded(right, rank), strict=True)
    sizes = tuple(_joined(*pair) for pair in pairs)
    return None if -1 in sizes else sizes


def _padded(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape


def _joined(left: int | None, right: int | None) -> int | None:
    """Return the size that two dimensions broadcast to; -1 when they do not."""
    if left == right or right == 1:
        return left
    if left == 1:
        return right
    return -1 if None not in (left, right) else left or right


def _matmul(operands: Operands) -> Shape | None:
    rows, columns = operands.shape(0), operands.shape(1)
    first = _pair(rows)[1 if operands.node.attr["transpose_a"].b else 0]
    second = _pair(columns)[0 if operands.node.attr["transpose_b"].b else 1]
    return first, second


def _pair(shape: Shape | None) -> Shape:
    """Return the shape of a matrix; the kernel accepts only rank 2."""
    return shape if shape is not None and len(shape) == 2 else (None, None)


def _reduced(operands: Operands) -> Shape | None:
    shape, axes = operands.shape(0), operands.values(1)
    if shape is None or axes is None:
        return None
    replacement: Shape = (1,) if operands.node.attr["keep_dims"].b else ()
    return _replaced(shape, axes, replacement)


def _squeezed(operands: Operands) -> Shape | None:
    shape, given = operands.shape(0), operands.node.attr["squeeze_dims"].list.i
    if shape is None or (not given and None in shape) or len(given) > MOST_DIMENSIONS:
        return None
    return _replaced(shape, given or [axis for axis, size in enumerate(shape) if size == 1], ())


def _replaced(shape: Shape, axes: Values, by: Shape) -> Shape | None:
    """Return a shape with some of its sizes replaced; negative axes count from the end."""
    rank = len(shape)
    chosen = {axis % rank for axis in axes if axis is not None and -rank <= axis < rank}
    if len(chosen) != len(axes):  # an axis is unknown, out of range or given twice
        return None
    sizes = [by if axis in chosen else (size,) for axis, size in enumerate(shape)]
    return tuple(size for part in sizes for size in part)


def _expanded(operands: Operands) -> Shape | None:
    shape, axis = operands.shape(0), operands.values(1)
    if shape is None or axis is None or len(axis) != 1 or axis[0] is None:
        return None
    place = axis[0] + (len(shape) + 1 if axis[0] < 0 else 0)
    return (*shape[:place], 1, *shape[place:]) if 0 <= place <= len(shape) else None


def _reshaped(operands: Operands) -> Shape | None:
    sizes = operands.values(1)
    if sizes is None or any(size is not None and size < -1 for size in sizes):
        return None
    return tuple(None if size == -1 else size for size in sizes)


def _gathered(operands: Operands) -> Shape | None:
    axes: Values | None = [0] if operands.node.op == "Gather" else operands.values(2)
    table, indices = operands.shape(0), operands.shape(1)
    if table is None or indices is None or axes is None or operands.node.attr["batch_dims"].i:
        return None
    return _replaced(table, axes, indices)


def _ops(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_ops("Placeholder", _placeholder),
    **_ops("PlaceholderWithDefault VariableV2", _attribute),
    **_ops("EnsureShape", _ensured),
    **_ops("Const", _constant),
    **_ops("ReadVariableOp", _read),
    **_ops(
        "Identity StopGradient PreventGradient Snapshot CheckNumerics Cast "
        "Relu Relu6 Elu Selu LeakyRelu Sigmoid Tanh Softplus Softsign Softmax LogSoftmax BiasAdd "
        "Abs Neg Sign Square Sqrt Rsqrt Exp Expm1 Log Log1p Inv Reciprocal Erf Round Rint Floor "
        "Ceil Sin Cos Tan Asin Acos Atan Sinh Cosh LogicalNot IsNan IsInf IsFinite ZerosLike "
        "OnesLike ClipByValue StringLower StringUpper StringStrip StringLength AsString "
        "StringToNumber StringToHashBucket StringToHashBucketFast StringToHashBucketStrong "
        "RegexReplace StaticRegexReplace RegexFullMatch StaticRegexFullMatch EncodeBase64 "
        "DecodeBase64",
        _first,
    ),
    **_ops(
        "Add AddV2 Sub Mul MulNoNan Div RealDiv DivNoNan FloorDiv FloorMod Mod TruncateDiv "
        "TruncateMod Maximum Minimum Pow SquaredDifference Atan2 Greater GreaterEqual Less "
        "LessEqual LogicalAnd LogicalOr",
        _broadcast,
    ),
    **_ops("MatMul", _matmul),
    **_ops("ArgMax ArgMin Sum Mean Prod Max Min All Any", _reduced),
    **_ops("ExpandDims", _expanded),
    **_ops("Squeeze", _squeezed),
    **_ops("Reshape", _reshaped),
    **_ops("Gather GatherV2", _gathered),
    **_ops("LookupTableFind LookupTableFindV2", _found_keys),
}
