"""Measures record batches of one schema, quickly for tables with many columns. Executor.

`RecordBatch.nbytes` looks at each column, which takes 0.35 ms for 200 of them, almost as long as a
call of a light model. The size of numbers is known from their types, so only the other columns,
such as texts and arrays, are measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class BatchBytes:
    """The bytes of record batches of one schema.

    In columns with a fixed width, the bits that mark nulls do not count.

    Attributes:
        row: The bytes of a row in columns whose values have a fixed width.
        others: The positions of the other columns.
    """

    row: float
    others: tuple[int, ...]

    @classmethod
    def of(cls, schema: pa.Schema, columns: Iterable[str] | None = None) -> BatchBytes:
        """Prepare to measure batches of a schema.

        Args:
            schema: The schema.
            columns: The columns that count; by default all.

        Raises:
            KeyError: When the schema lacks a column.
        """
        at = {name: position for position, name in enumerate(schema.names)}
        positions = range(len(schema)) if columns is None else [at[name] for name in columns]
        widths = [(position, _width(schema.field(position).type)) for position in positions]
        bits = sum(width or 0 for _, width in widths)
        return cls(bits / 8, tuple(position for position, width in widths if width is None))

    def __call__(self, batch: pa.RecordBatch) -> float:
        """Return the bytes of a batch."""
        measured = sum(batch.column(position).nbytes for position in self.others)
        return self.row * batch.num_rows + measured


def _width(kind: Any) -> int | None:
    """Return the bits of a value; `None` if they are not the same for all values."""
    if isinstance(kind, pa.BaseExtensionType):
        return _width(kind.storage_type)
    # The width of a dictionary would be that of its indices.
    if pa.types.is_dictionary(kind) or pa.types.is_null(kind):
        return None
    try:
        return int(kind.bit_width)
    except ValueError:
        return None
