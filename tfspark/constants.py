"""A value that feeds an input in place of a column. Driver and executor.

The value is the same for every row. It is checked when it is bound, by the same rule of numbers as
a column. It may be text that contains a value, because a command line gives only text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.rounding import nearest_one
from tfspark.signature import TensorSpec, fits, format_shape

# NumPy's kinds of text, dates and intervals.
_NO_CONSTANTS = "UMm"


@dataclass(frozen=True)
class Constant:
    """A value for an input: a number, a bool, bytes, text, or nested sequences of one of them."""

    value: Any

    def __post_init__(self) -> None:
        # Sequences become tuples, so that a binding stays hashable.
        object.__setattr__(self, "value", _frozen(self.value))

    def array(self, dtype: dtypes.DType) -> Any:
        """Return the value as a NumPy array of an input's type; strings as bytes.

        Raises:
            ValueError: When it is not a value of that type, or its sequences differ in length.
        """
        shape = _shape(self.value)
        elements = [_element(element, dtype) for element in _flat(self.value)]
        flat = np.empty(len(elements), dtype=dtype.numpy)
        flat[:] = elements
        return flat.reshape(shape)


def is_constant(value: object) -> bool:
    """Whether a value of `feed` is a constant: a number, a bool, bytes, or sequences of them.

    Text is the name of a column, also as an element of a NumPy array. Dates feed no input.
    """
    if isinstance(value, np.ndarray) and value.dtype == object:
        return all(map(is_constant, value.flat))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind not in _NO_CONSTANTS
    if isinstance(value, Constant | bool | int | float | bytes):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(map(is_constant, value))


def misfit(constant: Constant, spec: TensorSpec) -> str | None:
    """Return why a constant cannot feed an input; `None` when it can."""
    try:
        _shape(constant.value)
    except ValueError:
        return f"the sequences of {constant.value!r} differ in length"
    try:
        found = constant.array(dtypes.by_name(spec.dtype)).shape
    except (ValueError, OverflowError, TypeError, pa.ArrowException):
        return f"{constant.value!r} is not a constant of type {spec.dtype}"
    wanted = spec.row_shape
    if wanted is None or found == () or (None not in wanted and found == (spec.row_size,)):
        return None
    if fits(found, wanted):
        return None
    return f"expected a constant of shape {format_shape(wanted)}, found {format_shape(found)}"


def _frozen(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple):
        return ()
    shapes = set(map(_shape, value)) or {()}
    if len(shapes) > 1:
        raise ValueError(value)
    return (len(value), *shapes.pop())


def _element(value: Any, dtype: dtypes.DType) -> Any:
    """Return one element in the input's type, or raise."""
    if dtype.is_string:
        if not isinstance(value, str | bytes):
            raise ValueError(value)
        return value.encode() if isinstance(value, str) else value
    target = np.dtype(dtype.numpy)
    if isinstance(value, str):
        value = _read(value.strip(), target)
    if target == np.bool_ and not isinstance(value, bool):
        raise ValueError(value)
    if target.kind == "f":
        element = nearest_one(value, dtype)
        if np.isinf(element) and not Decimal(value).is_infinite():
            raise OverflowError(value)
        return element
    if int(value) != value:
        raise ValueError(value)
    # NumPy 1 would let integers wrap around.
    if target.kind in "iu" and not np.iinfo(target).min <= value <= np.iinfo(target).max:
        raise OverflowError(value)
    return target.type(value)


def _read(text: str, target: np.dtype[Any]) -> Any:
    """Convert text to a value that keeps every digit; Arrow checks the text."""
    if target.kind != "f":
        kinds: dict[str, pa.DataType] = {"b": pa.bool_(), "u": pa.uint64()}
        wide = kinds.get(target.kind, pa.int64())
        return pa.scalar(text).cast(wide).as_py()
    pa.scalar(text).cast(pa.float64())
    return Decimal(text)
