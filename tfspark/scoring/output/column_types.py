"""Decides whether a column of an existing target holds all values of a type. Driver.

Spark's store assignment rounds decimals, takes the date of a timestamp and binds fields of structs
by position, all without an error. Here a column accepts another type only if every value stays the
same. Types are compared by the text that `DataFrame.dtypes` has for them.
"""

from __future__ import annotations

import re

# Type → the types whose values it holds without a change.
_WIDER = {
    "smallint": ("tinyint",),
    "int": ("tinyint", "smallint"),
    "bigint": ("tinyint", "smallint", "int"),
    "float": ("tinyint", "smallint"),
    "double": ("tinyint", "smallint", "int", "float"),
    "timestamp": ("date", "timestamp_ntz"),
    "timestamp_ntz": ("date",),
}
_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}
_DECIMAL = re.compile(r"decimal\((\d+),(-?\d+)\)")
_INTERVAL = re.compile(r"interval (?:\w+ to )?(\w+)")
# Spark stores an interval as months or as microseconds; its type only names the units.
_UNITS = (("year", "month"), ("day", "hour", "minute", "second"))
_NESTED = re.compile(r"(array|map|struct)<(.*)>", re.DOTALL)
_COLLATED = re.compile(r"string collate \w+")
_TEXT = re.compile(rf"{_COLLATED.pattern}|(?:var)?char\(\d+\)")
_SMALL = re.compile(r"\b(?:tiny|small)int\b(?!:)")  # not the name of a field

# The direct path has no name for a type that only Arrow has, and nulls fit every type.
_ANY = ("None", "void", "")


def holds(column: str, values: str, *, may_widen: bool) -> bool:
    """Return whether a column of one type holds all values of another type unchanged.

    Args:
        column: The type of the column.
        values: The type of the values.
        may_widen: Whether the column converts values of a narrower type, as a table does; files in
            a folder do not.
    """
    if column == values or column in _ANY or values in _ANY:
        return True
    nested, others = _NESTED.fullmatch(column), _NESTED.fullmatch(values)
    if nested and others:
        pairs = _pairs(nested, others)
        return pairs is not None and all(holds(*pair, may_widen=may_widen) for pair in pairs)
    if not may_widen:
        return False
    return _TEXT.sub("string", column) == _TEXT.sub("string", values) or _is_wider(column, values)


def stored(values: str, file_format: str) -> str:
    """Return the type that values of a type have after they are written to a format and read."""
    if file_format == "avro":
        values = _SMALL.sub("int", values)
    return _COLLATED.sub("string", values) if file_format in ("avro", "orc") else values


def _pairs(nested: re.Match[str], others: re.Match[str]) -> list[tuple[str, str]] | None:
    """Return the types inside two nested types in pairs; `None` if their parts differ."""
    if nested[1] != others[1]:
        return None
    parts, found = _parts(nested[2]), _parts(others[2])
    if nested[1] == "struct":
        names = [[part.partition(":")[0].lower() for part in some] for some in (parts, found)]
        if names[0] != names[1]:
            return None
        parts, found = ([part.partition(":")[2] for part in some] for some in (parts, found))
    return list(zip(parts, found, strict=True)) if len(parts) == len(found) else None


def _is_wider(column: str, values: str) -> bool:
    units, others = _INTERVAL.fullmatch(column), _INTERVAL.fullmatch(values)
    if units and others:
        return any(
            others[1] in some[: some.index(units[1]) + 1] for some in _UNITS if units[1] in some
        )
    decimal, other = _DECIMAL.fullmatch(column), _DECIMAL.fullmatch(values)
    if decimal is None:
        is_whole = other is not None and other[2] == "0" and int(other[1]) < _DIGITS.get(column, 0)
        return is_whole or values in _WIDER.get(column, ())
    precision, scale = int(decimal[1]), int(decimal[2])
    if other is None:
        return precision - scale >= _DIGITS.get(values, precision + 1)
    whole = int(other[1]) - int(other[2])
    return scale >= int(other[2]) and precision - scale >= whole


def _parts(inside: str) -> list[str]:
    """Split the text between the outer brackets of a type at its commas."""
    parts, depth = [""], 0
    for character in inside:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
