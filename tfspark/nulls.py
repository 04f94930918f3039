"""The handling of nulls: predict null, raise an error, or feed another value. Driver and executor.

Turns the option `on_null` into one `NullRule` for each input. Uses Arrow types and the names of
inputs; no tensors, no Spark.

A fill replaces a null value and a null element of an array. It cannot replace a null array, whose
length is unknown, so that row still gives null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tfspark import dtypes
from tfspark.options import OnNull
from tfspark.signature import TensorSpec


@dataclass(frozen=True)
class NullRule:
    """The handling of a null in one input.

    Attributes:
        refuse: Whether a null raises an error that names the row.
        fill: The value that is fed in its place; with `None` the row gives null.
    """

    refuse: bool = False
    fill: Any = None


GIVES_NULL = NullRule()


def null_rule(on_null: OnNull, spec: TensorSpec) -> NullRule:
    """Return the rule of one input.

    Args:
        on_null: `null`, `error`, a number for all numeric inputs, or input → value; see
            `ScoreOptions`.
        spec: The input. A number does not fill a string input: a null string still gives null.
    """
    if isinstance(on_null, str):
        return NullRule(refuse=on_null == "error")
    if isinstance(on_null, Mapping):
        return NullRule(fill=on_null.get(spec.name))
    return NullRule() if spec.dtype == "string" else NullRule(fill=on_null)


def scalar_of(fill: Any, arrow: pa.DataType) -> Any:
    """Return a fill as an Arrow scalar.

    Args:
        fill: A value, or text that contains one, such as `nan` from a command line.
        arrow: The type of the filled values; not a list.

    Raises:
        pa.ArrowException: When it is not a value of that type; numbers are not rounded.
    """
    if isinstance(fill, bool | int | float) and dtypes.is_decimal(arrow):
        # As text: Arrow rounds a float, and refuses an integer that may have more digits.
        fill = repr(int(fill) if isinstance(fill, int) else fill)
    return pa.scalar(fill).cast(arrow)


def is_fitting(fill: Any, arrow: pa.DataType) -> bool:
    """Whether a fill is a valid element of a column."""
    element, _ = dtypes.element_of(arrow)
    if dtypes.is_bytes(element) and not isinstance(fill, str | bytes):
        return False  # Arrow would write a number as text
    try:
        scalar_of(fill, element)
    except pa.ArrowException:
        return False
    return True
