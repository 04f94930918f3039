"""The table of element types: TensorFlow ↔ NumPy ↔ Arrow ↔ Spark SQL. Driver and executor.

Invariants: an output type that Spark lacks becomes a wider column type (uint8 → short, half →
float, uint64 → decimal). For inputs, `conversion` follows Spark's ANSI store assignment: a number
feeds every floating-point input, an integer feeds every integer input, and dropping a fraction
needs `narrow`. `tensors` finds the values that are out of range. Every other type is in
`UNSUPPORTED`, with the reason. No TensorFlow, no Spark, no state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from tfspark.errors import UnsupportedTypeError, explain

Conversion: TypeAlias = Literal["exact", "widen", "round", "check", "narrow"]
# Quoted, because pyarrow's classes take no type parameters at run time.
ArrowArray: TypeAlias = "pa.Array[Any]"
ArrowField: TypeAlias = "pa.Field[Any]"


@dataclass(frozen=True)
class DType:
    """One row of the table.

    Attributes:
        name: TensorFlow's name, as in `tf.float32.name`.
        number: The value in TensorFlow's `DataType` enumeration (types.proto).
        numpy: Name of the NumPy element type; `object` for strings, `float32` for bfloat16.
        arrow: Arrow type of a column that holds such elements.
        sql: Spark SQL name of that column type.
    """

    name: str
    number: int
    numpy: str
    arrow: pa.DataType
    sql: str

    @property
    def is_string(self) -> bool:
        """Whether elements are byte strings of any length."""
        return self.name == "string"

    @property
    def is_bfloat16(self) -> bool:
        """Whether elements are float32 in NumPy; a model has only the upper 16 bits of them."""
        return self.name == "bfloat16"


# TensorFlow returns strings as bytes. The option `strings` decides whether a column holds strings,
# which must be valid UTF-8, or binary values.
TABLE: tuple[DType, ...] = (
    DType("float32", 1, "float32", pa.float32(), "float"),
    DType("float64", 2, "float64", pa.float64(), "double"),
    DType("int32", 3, "int32", pa.int32(), "int"),
    DType("uint8", 4, "uint8", pa.int16(), "smallint"),
    DType("int16", 5, "int16", pa.int16(), "smallint"),
    DType("int8", 6, "int8", pa.int8(), "tinyint"),
    DType("string", 7, "object", pa.string(), "string"),
    DType("int64", 9, "int64", pa.int64(), "bigint"),
    DType("bool", 10, "bool", pa.bool_(), "boolean"),
    DType("bfloat16", 14, "float32", pa.float32(), "float"),
    DType("uint16", 17, "uint16", pa.int32(), "int"),
    DType("float16", 19, "float16", pa.float32(), "float"),
    DType("uint32", 22, "uint32", pa.int64(), "bigint"),
    DType("uint64", 23, "uint64", pa.decimal128(20, 0), "decimal(20,0)"),
)

# The number of `DT_FLOAT_REF`, a variable's type in an old graph, minus that of `DT_FLOAT`.
REFERENCE = 100

# TensorFlow does not use this number; here it marks sparse, ragged and other composite values.
COMPOSITE = -1

_COMPLEX = "Spark has no complex type; return the real and imaginary parts as two outputs"
_QUANTISED = "quantised elements need their range; dequantise inside the model"

UNSUPPORTED: dict[int, tuple[str, str]] = {
    COMPOSITE: ("composite", "a sparse or ragged tensor cannot be a column; use dense tensors"),
    8: ("complex64", _COMPLEX),
    11: ("qint8", _QUANTISED),
    12: ("quint8", _QUANTISED),
    13: ("qint32", _QUANTISED),
    15: ("qint16", _QUANTISED),
    16: ("quint16", _QUANTISED),
    18: ("complex128", _COMPLEX),
    20: ("resource", "a resource is a handle inside one process; it cannot be a column"),
    21: ("variant", "a variant (list, ragged, dataset) cannot be a column; return dense tensors"),
}

# The names of the types with the numbers from 24; an element takes at most one byte.
_SMALL = (
    *("float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"),
    *("int4", "uint4", "int2", "uint2", "float4_e2m1fn"),
)

LISTS = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)

# Keyed by the number of the Arrow type, because it is looked up for every column of every batch.
_NUMPY = {
    pa.from_numpy_dtype(np.dtype(kind)).id: np.dtype(kind)
    for kind in ("?", "b", "h", "i", "q", "B", "H", "I", "Q", "e", "f", "d")
}

_BYTES = {kind.id for kind in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())}
_DECIMALS = {pa.decimal128(1).id, pa.decimal256(1).id}

_BY_NUMBER = {row.number: row for row in TABLE}
_BY_NAME = {row.name: row for row in TABLE}

# Column element types that can feed an input, by Spark SQL name.
SQL_TO_ARROW: dict[str, pa.DataType] = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
}

# With names of types that cannot feed an input, for messages.
_SQL_NAMES: dict[pa.DataType, str] = {
    pa.large_string(): "string",
    pa.large_binary(): "binary",
    pa.date32(): "date",
    pa.timestamp("us"): "timestamp_ntz",
    pa.timestamp("us", "UTC"): "timestamp",
    pa.duration("us"): "interval day to second",
    pa.null(): "void",
    **{arrow: sql for sql, arrow in SQL_TO_ARROW.items()},
}


def name_of(number: int) -> str:
    """Return TensorFlow's name of a `DataType` number, supported or not."""
    if number in _BY_NUMBER:
        return _BY_NUMBER[number].name
    if number in UNSUPPORTED:
        return UNSUPPORTED[number][0]
    return dict(enumerate(_SMALL, 24)).get(number, f"DataType {number}")


def by_name(name: str) -> DType:
    """Return the row of a TensorFlow type name.

    Raises:
        UnsupportedTypeError: When the type has no counterpart in Spark; the message says why.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise UnsupportedTypeError(
        explain(
            f"TensorFlow type {name} cannot pass between Spark and a model.",
            expected=", ".join(row.name for row in TABLE),
            found=name,
            hint=f"{reason_unsupported(name)}.",
        )
    )


def reason_unsupported(name: str) -> str | None:
    """Return why a TensorFlow type is not supported, with advice; `None` when it is supported."""
    if name in _BY_NAME:
        return None
    return dict(UNSUPPORTED.values()).get(name, "cast to a type of Spark inside the model")


def is_bytes(arrow: pa.DataType) -> bool:
    """Whether an Arrow type holds strings or bytes, with offsets of either width."""
    return arrow.id in _BYTES


def is_decimal(arrow: pa.DataType) -> bool:
    """Whether an Arrow type holds decimals."""
    return arrow.id in _DECIMALS


def is_large_bytes(arrow: pa.DataType) -> bool:
    """Whether an Arrow type holds strings or bytes with 64-bit offsets."""
    return pa.types.is_large_string(arrow) or pa.types.is_large_binary(arrow)


def is_list(arrow: pa.DataType) -> bool:
    """Whether an Arrow type is a list of any kind."""
    return isinstance(arrow, LISTS)


def conversion(arrow: pa.DataType, dtype: DType) -> Conversion | None:
    """Return how Arrow elements become tensor elements.

    Returns:
        `exact`: the bytes are used without a change. `widen`: every value is kept. `round`: numbers
        are rounded to the input's precision, and overflow is an error of the row. `check`: an
        integer out of range is an error of the row. `narrow`: the column type may hold fractions
        and the input is an integer, so the user has to allow it. `None`: no conversion exists.
    """
    if dtype.is_string:
        return "exact" if is_bytes(arrow) else None
    target = np.dtype(dtype.numpy)
    source = numpy_type(arrow)
    if is_decimal(arrow):
        return _of_decimal(arrow, target)
    if source is None or (target == np.bool_ and source != np.bool_):
        return None
    if dtype.is_bfloat16:  # 8 significant bits
        return "widen" if source.itemsize == 1 else "round"
    if source == target:
        return "exact"
    if target.kind == "f":
        # NumPy calls int64 → float64 safe, although integers above 2**53 lose their last digits.
        exact = source.kind not in "iu" or source.itemsize < target.itemsize
        return "widen" if exact and np.can_cast(source, target, "safe") else "round"
    if source.kind == "f":
        return "narrow"
    return "widen" if np.can_cast(source, target, "safe") else "check"


def _of_decimal(arrow: Any, target: np.dtype[Any]) -> Conversion | None:
    if target == np.bool_:
        return None
    if target.kind == "f":
        return "round"
    return "check" if arrow.scale <= 0 else "narrow"


def numpy_type(arrow: pa.DataType) -> np.dtype[Any] | None:
    """Return the NumPy type of Arrow's fixed-width numeric elements; `None` for any other type."""
    return _NUMPY.get(arrow.id)


def element_of(arrow: pa.DataType) -> tuple[pa.DataType, int]:
    """Return the element type below all lists of an Arrow type, and the number of list levels."""
    depth = 0
    while isinstance(arrow, LISTS):
        arrow, depth = arrow.value_type, depth + 1
    return arrow, depth


def nested(element: pa.DataType, depth: int) -> pa.DataType:
    """Return `element` inside `depth` levels of lists."""
    for _ in range(depth):
        element = pa.list_(element)
    return element


def sql_name(arrow: pa.DataType) -> str:
    """Return the Spark SQL name of a column type made of lists and table elements."""
    element, depth = element_of(arrow)
    if pa.types.is_decimal(element):
        return arrays_of(f"decimal({element.precision},{element.scale})", depth)
    return arrays_of(_SQL_NAMES.get(element, str(element)), depth)


def arrays_of(sql: str, depth: int) -> str:
    """Return a Spark SQL type name inside `depth` levels of arrays."""
    return "array<" * depth + sql + ">" * depth
