"""Reads CSV and tab-separated tables, and checks their columns.

A table becomes a pandas DataFrame of exactly the requested columns. Values are not changed: the
model decides about nulls, unknown categories and wrong numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from models.refusal import DataError, no_data
from tfspark.errors import did_you_mean, explain, explain_all, listing

__all__ = ["read_table"]


def read_table(
    file: Path, columns: Sequence[str], *, sep: str = ",", header: bool = True
) -> pd.DataFrame:
    """Read a table, and check that it has the columns and at least one row.

    Args:
        file: the file; its first line names the columns when `header` is set.
        columns: the columns to return; of a file without a header, all its columns in order.
        sep: the separator; a quoted value may contain it, except in a file without a header.
        header: whether the first line names the columns. Without it nothing is quoted, as in
            tab-separated files of raw text.

    Returns:
        The requested columns, in that order, without the others.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when it is empty, cannot be read, is not such a table, or lacks columns.
    """
    if not file.is_file():
        raise no_data(file, f"a table of {listing(columns)}")
    try:
        if header:
            table = pd.read_csv(file, sep=sep)
        else:
            table = pd.read_csv(file, sep=sep, header=None, quoting=3, keep_default_na=False)
    except (OSError, pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as exc:
        expected = f"a table of {listing(columns)}"
        raise DataError(
            explain(f"{file} cannot be read as a table", expected=expected, found=str(exc))
        ) from exc
    if not header:
        table = _named(file, table, columns)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        known = [str(name) for name in table.columns]
        problems = [f"no column {name!r}.{did_you_mean(name, known)}" for name in missing]
        raise DataError(
            explain_all(f"{file} lacks columns", problems, hint=f"it has {listing(known)}")
        )
    if table.empty:
        raise DataError(
            explain(f"{file} has no rows", expected="at least one row below its header")
        )
    return table[list(columns)]


def _named(file: Path, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    if table.shape[1] != len(columns):
        expected = f"{len(columns)} columns: {listing(columns)}"
        raise DataError(
            explain(
                f"{file} has another layout", expected=expected, found=f"{table.shape[1]} columns"
            )
        )
    return table.set_axis(list(columns), axis="columns")
