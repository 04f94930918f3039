"""The name of a staged table, which holds the rows of a run before they are published. Driver.

A name in a file or in a table of runs may come from another program. Only a table with such a name
is ever dropped.
"""

from __future__ import annotations

from tfspark.scoring.output.table_name import is_quoted, parts_of

_MARK = "__tfspark_"


def staged_name(table: str, run: str) -> str:
    """Return the name of the staged table of a run.

    Args:
        table: The first characters of the target's name.
        run: The run, or its last characters.
    """
    return f"{table}{_MARK}{run}"


def is_staged_for(name: str, run: str) -> bool:
    """Whether a name without a schema is that of the staged table of a run."""
    return name.endswith(f"{_MARK}{run}")


def is_staged(name: str) -> bool:
    """Whether a quoted name, with its schema, is that of a staged table."""
    return is_quoted(name) and _MARK in parts_of(name)[-1]
