"""Names the model in errors of the file system. Driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfspark.errors import ModelNotFoundError, TfsparkError, explain


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn an error of the file system into one that names the model."""
    try:
        yield
    except TfsparkError:
        raise
    except OSError as error:
        raise ModelNotFoundError(
            explain(
                f"The model at {path} cannot be read.",
                found=str(error),
                hint="give this user the right to read the folder and all files in it.",
            )
        ) from error
