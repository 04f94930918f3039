"""Refuses rows with a null, where the option `on_null` asks for it. Executor."""

from __future__ import annotations

import numpy as np

from tfspark.rows import Reason
from tfspark.tensors.values import Flags, RowProblem
from tfspark.terms import Terms


def refuse_nulls(found: Flags | None, column: str, terms: Terms) -> None:
    """Refuse the rows that are flagged.

    Args:
        found: The rows with a null in the column, at any depth; `None` when there is none.
        column: The column.
        terms: How the caller spells options.

    Raises:
        RowProblem: With these rows.
    """
    if found is not None and found.any():
        reason = Reason("NULL_INPUT", f"a null, which {terms.on_null} refuses", column)
        raise RowProblem(np.flatnonzero(found), lambda _: reason)
