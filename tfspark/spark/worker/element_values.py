"""Reads Python values, which have no declared type, as Arrow arrays. Executor.

They are read as the widest type of their kind and checked against the type of the input. A value
that cannot be read, such as text in place of a number, is set aside with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from math import isinf
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Row

from tfspark import dtypes
from tfspark.errors import RowError, explain
from tfspark.handle import ModelHandle
from tfspark.rounding import nearest_one
from tfspark.rows import Reason
from tfspark.signature import TensorSpec
from tfspark.spark.worker.task import origin_of

_WIDEST: dict[str, pa.DataType] = {"f": pa.float64(), "b": pa.bool_()}
_NUMBERS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_null,
)
_HINT = "fix the element or filter it out."
_UNREADABLE = (pa.ArrowException, TypeError, ValueError, OverflowError)


@dataclass
class Unreadable:
    """The elements of a partition that are not values of their inputs.

    Attributes:
        handle: The model.
        may_reject: Whether such an element is set aside; otherwise it ends the scoring.
        reasons: Number of an element in the partition → why it is not a value.
    """

    handle: ModelHandle
    may_reject: bool
    reasons: dict[int, Reason] = field(default_factory=dict)

    def add(self, spec: TensorSpec, row: int, found: str, hint: str = _HINT) -> None:
        """Set an element aside; a null replaces it."""
        message = f"the element cannot feed input {spec}: {found}"
        if not self.may_reject:
            where = origin_of(self.handle).at(f"row {row}")
            raise RowError(explain(f"{where}: {message}", hint=hint))
        self.reasons.setdefault(row, Reason("UNREADABLE", message, spec.name))


def array_of(
    values: list[Any], arrow: pa.DataType, spec: TensorSpec, start: int, unreadable: Unreadable
) -> pa.Array[Any]:
    """Read the values of an input; `start` is the number of the first element.

    Raises:
        RowError: When one cannot be read, and bad rows are not allowed.
    """
    try:
        return _read(values, arrow, spec)
    except _UNREADABLE:
        # One value is of another kind, or the values only fit one by one, such as a large integer
        # beside a float.
        alone = (
            _alone(value, arrow, spec, start + row, unreadable) for row, value in enumerate(values)
        )
        return pa.concat_arrays(list(alone))


def _alone(
    value: Any, arrow: pa.DataType, spec: TensorSpec, row: int, unreadable: Unreadable
) -> pa.Array[Any]:
    try:
        return _read([value], arrow, spec)
    except _UNREADABLE as error:
        with suppress(*_UNREADABLE):
            return _read([_with_nesting(value, arrow, spec)], arrow, spec)
        unreadable.add(spec, row, str(error))
        return _read([None], arrow, spec)


def _with_nesting(value: Any, arrow: pa.DataType, spec: TensorSpec) -> Any:
    """Return a value, nested like its tensor or flat, with the nesting of its partition."""
    _, depth = dtypes.element_of(arrow)
    shape, size = spec.row_shape or (), spec.row_size
    array_shape = tuple(one or 0 for one in shape)
    array = np.array(value, dtype=object)
    if size is None or array.shape not in (array_shape, (size,)):
        raise ValueError(f"expected a value of shape {shape}")
    return array.reshape(-1 if depth == 1 else array_shape).tolist()


def has_no_value(values: Sequence[Any]) -> bool:
    """Whether all values are null, so that they show no nesting."""
    return all(value is None for value in values)


def plain(value: Any) -> Any:
    """Return arrays of NumPy, and vectors and matrices of Spark ML, as lists."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value] if _begins_with_array(value) else value
    if hasattr(value, "toArray"):
        return value.toArray().tolist()
    return value


def _begins_with_array(value: Any) -> bool:
    """Whether the first leaf of nested lists is an array; lists of numbers are not copied."""
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, np.ndarray)


def names_in(element: Mapping[Any, Any] | Row) -> list[str]:
    """Return the names of the values of an element."""
    return list(element) if isinstance(element, Mapping) else getattr(element, "__fields__", [])


def type_of(spec: TensorSpec, values: Sequence[Any]) -> pa.DataType:
    """Return the Arrow type for values: the widest of its kind, with their nesting depth."""
    depth, sample = 0, next((value for value in values if value is not None), None)
    while isinstance(sample, list | tuple):
        depth, sample = depth + 1, next((value for value in sample if value is not None), None)
    if sample is None:
        depth = max(depth, len(spec.row_shape or ()))
    if spec.row_shape == (1,) and depth <= 1:
        depth = 0
    kind = dtypes.by_name(spec.dtype)
    if kind.is_string:
        return dtypes.nested(pa.binary(), depth)
    if kind.name == "uint64":
        return dtypes.nested(pa.uint64(), depth)
    widest: pa.DataType = _WIDEST.get(np.dtype(kind.numpy).kind, pa.int64())
    return dtypes.nested(widest, depth)


def _read(values: Sequence[Any], arrow: pa.DataType, spec: TensorSpec) -> pa.Array[Any]:
    """Read Python values as an Arrow type, or fail: no fraction as integer, no text as number."""
    element, _ = dtypes.element_of(arrow)
    if pa.types.is_floating(element):
        try:
            return pa.array(values, arrow)
        except pa.ArrowInvalid:  # of bools, decimals, or integers that a double rounds
            dtype = dtypes.by_name(spec.dtype)
            return pa.array([_as_float(value, dtype) for value in values], arrow)
    if not pa.types.is_integer(element):
        return pa.array(values, arrow)
    found: pa.Array[Any]
    try:
        found = pa.array(values)
    except OverflowError:
        if element != pa.uint64():
            raise
        # Without a type, Arrow converts integers to int64.
        _, depth = dtypes.element_of(arrow)
        found = pa.array(values, dtypes.nested(pa.decimal128(38, 0), depth))
    kind = dtypes.element_of(found.type)[0]
    # Arrow would convert text, dates and times to integers.
    if not (dtypes.is_decimal(kind) or any(is_one(kind) for is_one in _NUMBERS)):
        raise TypeError(f"a value of the type {kind} is not a number")
    return found.cast(arrow)


def _as_float(value: Any, target: dtypes.DType) -> Any:
    """Return a number as the nearest float of the input, and sequences of numbers as lists."""
    if isinstance(value, list | tuple):
        return [_as_float(item, target) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, bool | int | Decimal):
        return value
    found = float(nearest_one(value, target))
    return float(value) if isinf(found) else found  # too large; a later check reports it
