"""Arrays in one `.npz` file, as `numpy.savez` writes it.

Reads the arrays that a caller names and checks their shapes. Pickled objects are refused, since
reading one runs whatever code it holds.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.refusal import DataError
from tfspark.errors import InputNotFoundError, did_you_mean, explain, explain_all, listing

__all__ = ["read_npz"]

Array = np.ndarray[Any, Any]
Shape = tuple[int | None, ...]


def read_npz(file: Path, shapes: Mapping[str, Shape]) -> dict[str, Array]:
    """Read arrays of numbers and insist on their names and shapes.

    Args:
        file: the `.npz` file.
        shapes: by name, the shape an array must have; None stands for any size from 1.

    Returns:
        The arrays of `shapes`; others in the file are left out.

    Raises:
        InputNotFoundError: when the file is not there.
        DataError: when it is no such file, or lacks an array, or one has another shape or holds
            no numbers.
    """
    expected = f"the arrays {listing(shapes)}"
    if not file.is_file():
        raise InputNotFoundError(
            explain(f"No file {file.name} in {file.parent}", expected=expected)
        )
    try:
        # Opened here, because np.load leaves a file open that it cannot read.
        with file.open("rb") as opened:
            loaded = np.load(opened, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise ValueError("one array alone, as numpy.save writes it")
            known = loaded.files
            arrays = {name: loaded[name] for name in shapes if name in known}
    except (EOFError, OSError, ValueError, zipfile.BadZipFile, zlib.error) as exc:
        found = f"{type(exc).__name__}: {exc}"
        raise DataError(
            explain(f"{file} is no whole .npz file of numbers", expected=expected, found=found)
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
