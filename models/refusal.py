"""What is refused: training data by a `DataError`, an export by an `ExportError`.

In: any exception of TensorFlow, Keras or the model itself. Out: one typed error that says what was
expected, what was found and what to do. Not here: the checks themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfspark.errors import TfsparkError, explain

__all__ = ["DataError", "ExportError", "refusing"]


class ExportError(TfsparkError, ValueError):
    """A model that cannot be exported so that every loader runs it with equal results."""

    exit_code = 65


class DataError(TfsparkError, ValueError):
    """Training data that a model cannot learn from; raised before any training."""

    exit_code = 65


@contextmanager
def refusing(problem: str, *, hint: str, expected: str = "") -> Iterator[None]:
    """Turn whatever TensorFlow or the model raises into one typed refusal."""
    try:
        yield
    except ExportError:
        raise
    except Exception as exc:
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise ExportError(explain(problem, expected=expected, found=found, hint=hint)) from exc
