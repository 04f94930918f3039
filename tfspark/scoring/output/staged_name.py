"""The name of a staged table, which holds the rows of a run before they are published. Driver.

A name in a file or in a table of runs may come from another program. Only a table with such a name
is ever dropped.
"""

from __future__ import annotations

from tfspark.errors import UsageError
from tfspark.scoring.output.table_name import parts_of
from tfspark.spark.cluster.names import quoted

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


def is_quoted(name: str) -> bool:
    """Whether a text is the quoted name of a table with its schema, and nothing else of SQL."""
    try:
        parts = parts_of(name)
    except UsageError:
        return False
    return len(parts) == 2 and name == ".".join(map(quoted, parts))
