"""The origin of a row in errors: model, partition, input file and kept columns. Executor.

Every error about a row begins with its origin. Strings and bytes are shown by `repr`, which escapes
control characters; long values are cut.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tfspark.foreign_text import one_line

_SHOWN_COLUMNS = 6
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class Origin:
    """The model and the partition of some rows.

    Attributes:
        model: Name of the model in errors.
        partition: Number of the partition or split, if known.
        file_of: Row of the partition → the file that it was read from, if known.
    """

    model: str
    partition: int | None = None
    file_of: Callable[[int], str | None] | None = None

    def at(self, rows: str) -> str:
        """Return the model and the place of some rows, as text."""
        where = "" if self.partition is None else f" of partition {self.partition}"
        return one_line(f"model {self.model}, {rows}{where}")

    def in_words(self) -> str:
        """Return the model, the partition and the file that was read last, as text."""
        where = "" if self.partition is None else f", partition {self.partition}"
        file = self.file_of(sys.maxsize) if self.file_of is not None else None
        return one_line(f"model {self.model}{where}" + (f", from {file}" if file else ""))

    def of_row(self, row: int, column: str = "") -> str:
        """Return the model and the place of one row, as text; with its file if known."""
        file = self.file_of(row) if self.file_of is not None else None
        return self.at(f"{column}row {row}") + (f", from {one_line(file)}" if file else "")


def row_in_words(batch: pa.RecordBatch, row: int, keep: Sequence[str] | None) -> str:
    """Return the kept columns of a row, such as `" (row {'id': 7})"`; empty without any."""
    names = batch.schema.names if keep is None else list(keep)
    plain = [name for name in names if not pa.types.is_nested(batch.schema.field(name).type)]
    shown = [f"{name!r}: {_value(batch, name, row)}" for name in plain[:_SHOWN_COLUMNS]]
    return f" (row {{{', '.join(shown)}}})" if shown else ""


def _value(batch: pa.RecordBatch, name: str, row: int) -> str:
    try:
        value = batch.column(name)[row].as_py()
    except Exception:
        # Text that is not UTF-8, a date beyond the year 9999, a time zone that this machine does
        # not know: no failure to show a value may replace the error of the row.
        return "?"
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
