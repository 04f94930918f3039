"""Reads arrays from an `.npz` file that `numpy.savez` wrote, and checks their names and shapes.

Pickled objects are refused, because a pickle can run code when it is read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.refusal import DataError, no_data
from tfspark.errors import did_you_mean, explain, explain_all, listing

__all__ = ["read_npz"]

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]


def read_npz(file: Path, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Read arrays of numbers and check their names and shapes.

    Args:
        file: the `.npz` file.
        shapes: by name, the shape an array must have; None stands for any size from 1.

    Returns:
        The arrays of `shapes`; other arrays of the file are ignored.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when it is not such a file, lacks an array, or an array has another shape or no
            numbers.
    """
    expected = f"the arrays {listing(shapes)}"
    if not file.is_file():
        raise no_data(file, expected)
    try:
        # Opened here, because np.load does not close a file that it cannot read.
        with file.open("rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("a single array, as numpy.save writes it")
            known = loaded.files
            arrays = {name: loaded[name] for name in shapes if name in known}
    except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as exc:
        found = f"{type(exc).__name__}: {exc}"
        raise DataError(
            explain(f"{file} is not a whole .npz file of numbers", expected=expected, found=found)
        ) from exc
    problems = [f"no array {name!r}.{did_you_mean(name, known)}" for name in shapes.keys() - arrays]
    problems += [
        f"array {name!r}: expected numbers of shape {shapes[name]}, "
        f"found {array.dtype} of shape {array.shape}"
        for name, array in arrays.items()
        if not _fits(array, shapes[name])
    ]
    if problems:
        hint = f"it has {listing(known)}"
        raise DataError(explain_all(f"{file} has another layout", sorted(problems), hint=hint))
    return arrays


def _fits(array: Array, shape: Shape) -> bool:
    sizes = zip(array.shape, shape, strict=False)
    same = array.ndim == len(shape) and all(a == b if b else a > 0 for a, b in sizes)
    return same and (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_)
