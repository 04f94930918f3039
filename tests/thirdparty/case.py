"""One case for every API: a model, its rows, and the answers of TensorFlow or the refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa


@dataclass(frozen=True)
class Case:
    """One model with one table.

    Attributes:
        save: Writes the export dir; its name is the name of the model.
        table: The rows; a column feeds the input of its name.
        what: Suffix of the case's name after the name of its model.
        feed: Input → column, columns or constant, if the names do not match.
        fetch: Output → column; by default all.
        options: Keyword arguments that all Python APIs accept.
        rows: How TensorFlow is fed: each row as a batch of one, all rows together, so many rows at
            a time with the last one repeated, or each row as it is, without a batch dimension.
        by_call: Whether a column function can score the case, with one argument per input.
        refused: Regular expression of the refusal's message; empty if the rows are scored.
    """

    save: Callable[[Path], object]
    table: pa.Table
    what: str = ""
    feed: Mapping[str, Any] = field(default_factory=dict)
    fetch: Mapping[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    rows: Literal["each", "all", "bare"] | int = "each"
    by_call: bool = True
    refused: str = ""

    @property
    def model(self) -> str:
        """The model's name."""
        return self.save.__name__

    @property
    def name(self) -> str:
        """The name of the test."""
        return f"{self.model}-{self.what}" if self.what else self.model


def floats(*values: Any) -> Any:
    """Return a column of floats."""
    return pa.array(values, pa.float32())


def vectors(*rows: Any, of: pa.DataType | None = None) -> Any:
    """Return a column of arrays, of floats unless said otherwise."""
    return pa.array(rows, pa.list_(of or pa.float32()))


def rows(**columns: Any) -> pa.Table:
    """Return a table of columns."""
    return pa.table(columns)
