"""Quotes column names for Spark, and makes names from numbers. Driver and executor."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a name in backticks, so that Spark reads dots, spaces and backticks literally."""
    return "`" + name.replace("`", "``") + "`"


def numbered(count: int) -> list[str]:
    """Return `c0`, `c1`, …: names that Spark cannot misread, for columns taken by position."""
    return [f"c{position}" for position in range(count)]
