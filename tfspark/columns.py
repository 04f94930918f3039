"""The columns that can feed a model, and how their names resolve. Driver and executor.

Runs on an executor only for column functions. Names resolve as in Spark: the exact name first, then
the only name that differs in case.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from tfspark import dtypes, structs
from tfspark.errors import shortened

_QUOTED = re.compile(r"`((?:[^`]|``)+)`")

# The most columns that a message lists; a table may have thousands.
SHOWN = 30


@dataclass(frozen=True)
class Column:
    """A column of the input.

    Attributes:
        arrow: The type of the values that are fed; for an ML vector, an array type. `None` when
            the column cannot be fed.
        label: Spark's name of its type.
    """

    arrow: pa.DataType | None
    label: str

    @classmethod
    def of(cls, arrow: pa.DataType, label: str = "") -> Column:
        """Describe a column of an Arrow type; the default label is the name of the type."""
        struct = structs.recognised(arrow)
        if struct is not None:
            return cls(structs.FED_AS[struct], label or structs.LABELS[struct])
        if structs.is_variant(arrow):
            return cls(None, label or "variant")
        element, _ = dtypes.element_of(arrow)
        fits = (
            dtypes.is_bytes(element)
            or dtypes.numpy_type(element) is not None
            or dtypes.is_decimal(element)
        )
        return cls(arrow if fits else None, label or dtypes.sql_name(arrow))

    @classmethod
    def repeated(cls, times: int) -> Column:
        """Describe a name that several columns share; none of them can be fed."""
        return cls(None, f"one of {times} columns of this name")


Columns: TypeAlias = Mapping[str, Column]


def columns_of(schema: pa.Schema) -> dict[str, Column]:
    """Return the columns of an Arrow schema; columns with equal names cannot be fed."""
    return by_name((field.name, Column.of(field.type)) for field in schema)


def by_name(columns: Iterable[tuple[str, Column]]) -> dict[str, Column]:
    """Return name → column; a name that several columns share cannot be fed."""
    pairs = list(columns)
    times = Counter(name for name, _ in pairs)
    return {
        name: column if times[name] == 1 else Column.repeated(times[name]) for name, column in pairs
    }


def resolve(name: str, columns: Iterable[str], *, case_sensitive: bool = False) -> str | None:
    """Return the column that a name refers to; `None` when there is none, or more than one.

    A name may be quoted with backticks, as in Spark.
    """
    known = list(columns)
    quoted = _QUOTED.fullmatch(name)
    bare = quoted[1].replace("``", "`") if quoted and name not in known else name
    if bare in known or case_sensitive:
        return bare if bare in known else None
    near = [column for column in known if column.lower() == bare.lower()]
    return near[0] if len(near) == 1 else None


def describe(columns: Columns) -> str:
    """List columns with their types, for a message."""
    texts = [f"{name} {column.label}" for name, column in columns.items()]
    return ", ".join(shortened(texts, SHOWN)) or "none"
