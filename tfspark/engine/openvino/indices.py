"""Makes OpenVINO treat negative and too large indices into tables as TensorFlow does. Executor.

TensorFlow raises an error if the index of a `GatherV2` is out of range. OpenVINO gives zeros for an
index that is too large, and counts a negative index from the end. Therefore the model gets a guard
for each index that depends on a fed value: an additional output that is true where TensorFlow would
raise an error.

Keras' `Embedding` also counts negative indices from the end, with three operations on integers.
OpenVINO would compute these operations as floats. `unwrap` removes them, because OpenVINO's
`Gather` does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfspark.engine.openvino.operations import cannot

# Guards compare indices as floats. This is exact for dimensions below this size.
_MOST_INDICES = 1 << 24


def unwrap(model: Any) -> frozenset[str]:
    """Let each `Gather` count negative indices itself; return the names of these nodes.

    An index `where(i < 0, i + size, i)` becomes `i`, if `size` is the size of the dimension.
    """
    names = set()
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Gather" and (index := _wrapped(node)) is not None:
            node.input(1).replace_source_output(index)
            names.add(node.get_name())
    return frozenset(names)


def _wrapped(gather: Any) -> Any:
    """Return `i` if the index of a `Gather` is `where(i < 0, i + size, i)`, otherwise `None`."""
    select = gather.input_value(1).get_node()
    if select.get_type_name() != "Select":
        return None
    less, add, index = select.input_values()
    if less.get_node().get_type_name() != "Less" or add.get_node().get_type_name() != "Add":
        return None
    pairs = [tuple(part.get_node().input_values()) for part in (less, add)]
    same = all(first == index for first, _ in pairs)
    zero, size = (_number(second) for _, second in pairs)
    if not (same and zero == 0 and _keep_shape(index, pairs)):
        return None
    return index if size == size_of(gather) else None


def _keep_shape(index: Any, pairs: list[Any]) -> bool:
    """Whether an operation on the index and each constant has the shape of the index."""
    rank = index.get_partial_shape().rank
    ranks = [len(second.get_shape()) for _, second in pairs]
    return max(ranks) == 0 or bool(rank.is_static and max(ranks) <= rank.get_length())


def _number(value: Any) -> int | None:
    """Return the value of a constant with one element."""
    node = value.get_node()
    if node.get_type_name() != "Constant" or node.data.size != 1:
        return None
    return int(node.data.ravel()[0])


def size_of(gather: Any) -> int:
    """Return the number of rows that a `Gather` chooses from.

    Raises:
        CannotServeError: When it is not known, or too large for a guard.
    """
    data, _, axis = gather.input_values()
    axis_node, shape = axis.get_node(), data.get_partial_shape()
    if axis_node.get_type_name() == "Constant" and shape.rank.is_static:
        size = shape[int(axis_node.data.ravel()[0])]
        if size.is_static and size.get_length() < _MOST_INDICES:
            return int(size.get_length())
    raise cannot(f"an index into a dimension of unknown size, in {gather.friendly_name!r}")


def guard(gather: Any, lowest: int, size: int) -> Any:
    """Return an output that is true when an index is below `lowest`, or not below `size`.

    Raises:
        CannotServeError: When the rank of the index is not known.
    """
    from openvino import opset13 as ops

    index = gather.input_value(1)
    rank = index.get_partial_shape().rank
    if not rank.is_static:
        raise cannot(f"an index of unknown rank, in {gather.friendly_name!r}")
    number = index.get_element_type().to_dtype()
    low = ops.less(index, ops.constant(np.asarray(lowest, number)))
    high = ops.greater_equal(index, ops.constant(np.asarray(size, number)))
    axes = ops.constant(np.arange(rank.get_length(), dtype=np.int64))
    return ops.result(ops.reduce_logical_or(ops.logical_or(low, high), axes))
