"""Refuses columns that a CSV file cannot hold. Driver."""

from __future__ import annotations

from collections.abc import Mapping

from tfspark.errors import BindingError, explain, listing
from tfspark.scoring.dataset import Dataset


def refuse_nested(target: Dataset, columns: Mapping[str, str]) -> None:
    """Refuse arrays, structs, maps and bytes, if the output is CSV.

    Args:
        target: The output of the rows.
        columns: Name → Spark type.

    Raises:
        BindingError: When there are such columns; the message names all of them.
    """
    if target.format != "csv":
        return
    nested = [name for name, kind in columns.items() if "<" in kind or kind == "binary"]
    if nested:
        raise BindingError(
            explain(
                f"CSV cannot hold {listing(nested)} in {target}.",
                expected="columns of numbers, strings, dates or booleans",
                found=", ".join(f"{name} {columns[name]}" for name in nested),
                hint="leave them out with --keep and --fetch, or write parquet or json.",
            )
        )
