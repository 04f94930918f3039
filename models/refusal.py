"""The errors of training data, devices and exports: `DataError`, `DeviceError`, `ExportError`.

`refusing` converts any exception of TensorFlow, Keras or the model itself to an `ExportError` that
says what was expected, what was found and what to do. The checks are in other modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfspark.errors import InputNotFoundError, TfsparkError, explain

__all__ = ["DataError", "DeviceError", "ExportError", "no_data", "refusing"]


class ExportError(TfsparkError, ValueError):
    """A model without an export that every loader runs with equal results."""

    exit_code = 65


class DataError(TfsparkError, ValueError):
    """Training data that a model cannot learn from; raised before any training."""

    exit_code = 65


class DeviceError(TfsparkError, RuntimeError):
    """No device for the training, or one that does not answer."""

    exit_code = 69


def no_data(place: Path, expected: str, kind: str = "file") -> InputNotFoundError:
    """Return the error of training data that do not exist."""
    problem = f"No {kind} {place.name} in {place.parent}"
    hint = "put it there, or name another folder (--data); --make-data writes synthetic files"
    return InputNotFoundError(explain(problem, expected=expected, hint=hint))


@contextmanager
def refusing(problem: str, *, hint: str, expected: str = "") -> Iterator[None]:
    """Convert any exception of TensorFlow or the model to a typed error."""
    try:
        yield
    except ExportError:
        raise
    except Exception as exc:
        found = f"{type(exc).__name__}: {str(exc).strip()}"
        raise ExportError(explain(problem, expected=expected, found=found, hint=hint)) from exc
