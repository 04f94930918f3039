"""Column names as Spark's expressions and SQL read them. Driver."""

from __future__ import annotations


def quoted(name: str) -> str:
    """Return a name in backticks, so that Spark takes dots, spaces and backticks literally."""
    return "`" + name.replace("`", "``") + "`"
