"""Quotes column names for Spark, and makes names from numbers. Driver and executor."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(name: str) -> str:
    """Return a name in backticks, so that Spark reads dots, spaces and backticks literally."""
    return "`" + name.replace("`", "``") + "`"


def plain(name: str) -> str:
    """Return a name as Spark resolves it, in backticks only where it needs them."""
    return quoted(name) if set(name) & set(".`*") else name


def field_path(struct: str, field: str, columns: Iterable[str]) -> str:
    """Return the path of a field below the path of a struct, such as `s.field`.

    No column has this path as its name; Spark would take such a column instead of the field.
    """
    path = f"{struct}.{plain(field)}"
    taken = path.lower() in (column.lower() for column in columns)
    return f"{struct}.{quoted(field)}" if taken else path


def numbered(count: int) -> list[str]:
    """Return `c0`, `c1`, …: names that Spark cannot misread, for columns taken by position."""
    return [f"c{position}" for position in range(count)]
