"""A temporary folder with a model's own synthetic files, so that they take the way of a user's.

In: the model's `write_data` and a seed. Out: the folder. It lasts as long as the process, since a
pipeline may read the files again in every epoch, and is removed at the end.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["synthetic_folder"]


def synthetic_folder(write_data: Callable[[Path, int], Path], seed: int) -> Path:
    """Call `write_data(folder, seed)` on a new temporary folder and return what it returns."""
    folder = Path(tempfile.mkdtemp(prefix="tfspark-data-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_data(folder, seed)
