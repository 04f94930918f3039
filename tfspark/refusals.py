"""Explains why a column cannot feed an input, and how to convert it. Driver and executor.

Runs on an executor only for column functions. The advice names functions of Spark, which work in
SQL and in Python.
"""

from __future__ import annotations

from tfspark.columns import Column
from tfspark.dtypes import DType

# First letters of a Spark type (below its arrays) → the conversion of a value, and the advice.
_CONVERTED = (
    ("date", "unix_date({x})", "{}"),
    ("timestamp", "unix_micros({x})", "{}"),
    ("interval year", "extract(YEAR FROM {x})", "{}, or another of its parts"),
    ("interval month", "extract(MONTH FROM {x})", "{}, or another of its parts"),
    ("interval", "extract(DAY FROM {x})", "{}, or another of its parts"),
    ("time", "hour({x})", "{}, minute({x}) or second({x})"),
    ("variant", "variant_get({x}, '$', '{wanted}')", "{}"),
    ("map", "{x}['key']", "{}, or map_values({x})"),
    ("struct", "{x}.field", "one of its fields, such as {}"),
)
_TIMES = ("date", "interval", "time")


def refusal(name: str, column: Column, dtype: DType, expected: str) -> str:
    """Return why a column cannot feed an input of a type, with advice."""
    kind = column.label
    while kind.startswith("array<"):
        kind = kind.removeprefix("array<").removesuffix(">")
    if kind.startswith("binary") and not dtype.is_string:
        return (
            f"expected {expected}, found column {name!r} of {column.label}. Encoded images (JPEG, "
            "PNG) are decoded inside the graph: export a signature that takes strings and calls "
            "tf.io.decode_image; raw pixels feed an input of uint8"
        )
    if kind.startswith(_TIMES) and dtype.is_string:
        text = column.label.replace(kind, dtype.sql)
        return f"expected {expected}, found column {name!r} of {column.label}; cast it to {text}"
    for beginning, conversion, advice in _CONVERTED:
        if kind.startswith(beginning):
            if column.label.startswith("array<"):
                element = conversion.format(x="x", wanted=dtype.sql)
                converted = f"transform({name}, x -> {element})"
            else:
                value = conversion.format(x=name, wanted=dtype.sql)
                converted = advice.format(value, x=name)
            return f"expected {expected}, found column {name!r} of {column.label}; use {converted}"
    if column.arrow is None:
        return f"column {name!r} is {column.label} and cannot be fed; cast or rename it first"
    cast = _cast(column.label, kind, dtype)
    return f"expected {expected}, found column {name!r} of {column.label}{cast}"


def _cast(label: str, kind: str, dtype: DType) -> str:
    """Return the conversion of a scalar type into another; empty if Spark has none."""
    if dtype.name == "bool":
        return "; use column <> 0" if kind != "string" else "; cast it to boolean"
    if kind == "string":
        wanted = label.replace(kind, dtype.sql)
        return f"; text is not read as numbers, so cast it: try_cast(column AS {wanted})"
    return "; cast it to string" if dtype.is_string else ""
