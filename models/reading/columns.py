"""Checks the values of the columns of a table before a model learns from them.

Each column has a rule. One `DataError` names every column that breaks its rule, and the first row
that does. The table is not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.refusal import DataError
from tfspark.errors import explain, explain_all, listing

__all__ = ["Category", "Numbers", "check_columns", "check_two_classes"]


@dataclass(frozen=True)
class Numbers:
    """A column of finite numbers.

    Attributes:
        whole: whether only whole numbers are allowed, such as `3.0`.
        missing: whether a value may be missing.
    """

    whole: bool = False
    missing: bool = False

    def __str__(self) -> str:
        return "whole numbers" if self.whole else "numbers"

    def allows(self, values: pd.Series[Any]) -> pd.Series[bool]:
        """Return whether each value is an allowed number."""
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        finite = numbers.abs().lt(np.inf)
        return finite & numbers.mod(1).eq(0) if self.whole else finite


@dataclass(frozen=True)
class Category:
    """A column of few known values.

    Attributes:
        values: all numbers, or all strings.
        missing: whether a value may be missing.
    """

    values: tuple[int | str, ...]
    missing: bool = False

    def __str__(self) -> str:
        return f"one of {listing(str(value) for value in self.values)}"

    def allows(self, values: pd.Series[Any]) -> pd.Series[bool]:
        """Return whether each value is known."""
        if not isinstance(self.values[0], str):
            # If one value is text, pandas reads all values as text.
            values = pd.to_numeric(values, errors="coerce")
        return values.isin(self.values)


def check_columns(
    where: object, table: pd.DataFrame, rules: Mapping[str, Numbers | Category]
) -> None:
    """Check that every value follows the rule of its column.

    Args:
        where: the file, for the message.
        table: has at least the columns of the rules.
        rules: what each column may hold.

    Raises:
        DataError: names every column that does not, with the value and the row, counted from 1.
    """
    problems = list(_problems(table, rules))
    if problems:
        hint = "fix these rows or leave them out"
        raise DataError(explain_all(f"{where} has invalid training data", problems, hint=hint))


def check_two_classes(where: object, target: pd.Series[Any]) -> None:
    """Check that a target of 0 and 1 has rows of both: a model cannot learn from one class alone.

    Raises:
        DataError: when a class has no row.
    """
    found = sorted({int(value) for value in target})
    if found != [0, 1]:
        problem = f"{where} has rows of one class only"
        expected = f"0 and 1 in {str(target.name)!r}"
        raise DataError(
            explain(problem, expected=expected, found=listing(str(value) for value in found))
        )


def _problems(table: pd.DataFrame, rules: Mapping[str, Numbers | Category]) -> Iterator[str]:
    for name, rule in rules.items():
        column = table[name]
        wrong = ~rule.allows(column) & ~(column.isna() & rule.missing)
        if wrong.any():
            row = int(np.argmax(wrong.to_numpy()))
            value = column.iloc[row]
            shown = "nothing" if pd.isna(value) else repr(str(value))
            yield (
                f"column {name!r}: expected {rule}, found {shown} in row {row + 1}"
                f" ({int(wrong.sum())} such rows)"
            )
