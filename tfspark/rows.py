"""The handling of nulls and of bad rows, and all reason codes. Driver and executor.

Turns the option `on_null` into one `NullRule` for each input. `CODES` lists why a row is bad, for
the options `on_error` and `reason`. Uses Arrow types and the names of inputs; no tensors, no Spark.

A null is not a bad row: it gives null outputs, as in SQL, unless `on_null` says otherwise. A fill
replaces a null value and a null element of an array. It cannot replace a null array, whose length
is unknown, so that row still gives null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isinf
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from tfspark import dtypes
from tfspark.foreign_text import lines
from tfspark.options import OnNull
from tfspark.signature import TensorSpec

Code: TypeAlias = Literal[
    "NULL_INPUT",
    "WRONG_SHAPE",
    "RAGGED",
    "NOT_AN_IMAGE",
    "OUT_OF_RANGE",
    "FRACTION",
    "NOT_A_NUMBER",
    "UNREADABLE",
    "MODEL_REFUSED",
    "NOT_TEXT",
]

# Every reason why a row is bad. To add one, add a line here and the check that finds it.
CODES: Mapping[Code, str] = {
    "NULL_INPUT": 'a value is null, and `on_null` is `"error"`',
    "WRONG_SHAPE": "an array has another shape than the input",
    "RAGGED": "the inner lists of an array have different lengths",
    "NOT_AN_IMAGE": "the struct of an image does not have height × width × channels bytes",
    "OUT_OF_RANGE": "a number is too large or too small for the type of the input",
    "FRACTION": "a number has a fraction, and the input takes integers",
    "NOT_A_NUMBER": "a value is NaN, and the input takes integers",
    "UNREADABLE": "an element of an RDD is not a value of the input's type",
    "MODEL_REFUSED": "the model fails on this row",
    "NOT_TEXT": "an output of strings holds bytes that are not UTF-8",
}

REASON_TYPE = pa.struct([("code", pa.string()), ("column", pa.string()), ("message", pa.string())])


@dataclass(frozen=True)
class Reason:
    """Why one row is bad.

    Attributes:
        code: One of `CODES`.
        message: What was expected and what was found.
        column: The column that holds the value; empty where no single column does.
        hint: What the user can do about it; empty for the usual advice.
    """

    code: Code
    message: str
    column: str = ""
    hint: str = ""

    def as_struct(self) -> dict[str, str | None]:
        """Return the fields of `REASON_TYPE`."""
        return {
            "code": self.code,
            "column": self.column or None,
            "message": lines(self.message),
        }


def reason_array(rows: int, reasons: Mapping[int, Reason]) -> dtypes.ArrowArray:
    """Return the reason of each row, null for a good row."""
    if not reasons:
        nulls: dtypes.ArrowArray = pa.nulls(rows, REASON_TYPE)
        return nulls
    found: Sequence[dict[str, str | None] | None] = [
        reasons[row].as_struct() if row in reasons else None for row in range(rows)
    ]
    array: dtypes.ArrowArray = pa.array(found, REASON_TYPE)
    return array


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
        spec: The input. A number fills neither strings nor booleans: their nulls still give null.
    """
    if isinstance(on_null, str):
        return NullRule(refuse=on_null == "error")
    if isinstance(on_null, Mapping):
        return NullRule(fill=on_null.get(spec.name))
    is_filled = spec.dtype != "string" and (spec.dtype != "bool" or isinstance(on_null, bool))
    return NullRule(fill=on_null) if is_filled else NullRule()


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
    if pa.types.is_boolean(element) and not isinstance(fill, str) and fill not in (0, 1):
        return False  # Arrow would make every other number true
    try:
        value = scalar_of(fill, element).as_py()
    except (pa.ArrowException, OverflowError):  # Arrow takes integers of 64 bits
        return False
    # Arrow makes a number that is too large infinite.
    return not (isinstance(value, float) and isinf(value)) or _is_infinite(fill)


def _is_infinite(fill: Any) -> bool:
    try:
        return Decimal(str(fill)).is_infinite()
    except InvalidOperation:
        return False
