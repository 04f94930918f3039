"""Checks the arguments that name columns: feed, fetch and keep. Driver.

Only the form of the names is checked here; the binding checks whether they exist.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyspark.sql import Column

from tfspark.constants import is_constant
from tfspark.errors import UsageError, explain
from tfspark.options import is_list_of_names


def check_columns(*, feed: object = None, fetch: object = None, keep: object = None) -> None:
    """Refuse a feed, fetch or keep of a wrong type.

    Raises:
        UsageError: With the expected type.
    """
    kinds = (
        ("feed", feed, "a dict {input: column, expression, list of them, or constant}", _is_feed),
        ("fetch", fetch, "a dict {output: column}", _is_fetch),
        ("keep", keep, "a list of column names", is_list_of_names),
    )
    for option, given, expected, fits in kinds:
        if given is not None and not fits(given):
            problem = f"The option {option} has an invalid value."
            raise UsageError(explain(problem, expected=expected, found=repr(given)))


def _is_feed(given: object) -> bool:
    return isinstance(given, Mapping) and all(
        isinstance(value, str | Column) or is_constant(value) or _is_list_of_columns(value)
        for value in given.values()
    )


def _is_list_of_columns(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return all(isinstance(column, str | Column) for column in value)


def _is_fetch(given: object) -> bool:
    return isinstance(given, Mapping) and all(isinstance(name, str) for name in given.values())
