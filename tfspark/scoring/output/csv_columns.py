"""Refuses columns and rows that a CSV file cannot hold. Driver."""

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


def refuse_lost_nulls(
    target: Dataset, columns: Mapping[str, str], account: Mapping[str, object]
) -> None:
    """Refuse null predictions if they are the only column of a CSV file.

    Spark writes such a row as an empty line, and readers of CSV skip empty lines.

    Args:
        target: The output of the rows.
        columns: Name → Spark type.
        account: The report of the run.

    Raises:
        BindingError: The message says how many rows would be lost.
    """
    folders = {name.lower() for name in target.partition_by}
    in_files = [name for name in columns if name.lower() not in folders]
    shows_nulls = any(name.lower() == "nullvalue" for name in target.options)
    if target.format != "csv" or len(in_files) != 1 or shows_nulls or not account.get("null_rows"):
        return
    raise BindingError(
        explain(
            f"Rows would be lost in {target}: CSV files of one column have an empty line for a "
            "null, and readers skip it.",
            expected=f"another column beside {in_files[0]!r}, or no null",
            found=f"{account['null_rows']} null rows",
            hint="keep a column with --keep, write parquet, or choose a text for null with "
            "--output-option nullValue=NULL.",
        )
    )
