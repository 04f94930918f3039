"""Creates a temporary folder with the synthetic files of a model, in the layout of `--data`.

The folder exists until the process ends, because a pipeline may read the files again in every
epoch.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["synthetic_folder"]


def synthetic_folder(write_data: Callable[[Path, int], Path], seed: int) -> Path:
    """Call `write_data(folder, seed)` with a new temporary folder, and return the folder."""
    folder = Path(tempfile.mkdtemp(prefix="tfspark-data-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return write_data(folder, seed)
