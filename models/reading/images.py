"""Reads pictures from folders, one folder per class, and checks every file.

The files come in a fixed order, with their classes. Every file is decoded once, by the decoder that
training and serving use, so that a broken file is named before training starts. The pixels are not
kept. Hidden files are ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from models.refusal import DataError, no_data
from tfspark.errors import did_you_mean, explain, explain_all, listing

__all__ = ["Pictures", "read_folders"]

NAMED = 10
"""A message names at most this many broken files; it gives the number of all."""

Array = np.ndarray[Any, Any]


class Pictures(NamedTuple):
    """Files and their classes.

    Attributes:
        files: paths, by class and then by name.
        labels: (n,) int64, for each file the position of its class.
        classes: the names of the folders, sorted.
    """

    files: tuple[str, ...]
    labels: Array
    classes: tuple[str, ...]


def read_folders(folder: Path, classes: Sequence[str] = ()) -> Pictures:
    """Find the pictures `folder/<class>/<file>` and check that each can be decoded.

    Args:
        folder: holds one folder per class; other files in it are ignored.
        classes: the folders that must exist, and no others; by default all folders.

    Returns:
        The pictures of all classes, at least one of each.

    Raises:
        InputNotFoundError: when the folder does not exist.
        DataError: when a class is missing, unknown or empty, a file is not a complete picture, or
            a file or folder cannot be read.
    """
    if not folder.is_dir():
        expected = f"a folder of pictures for each class {listing(classes) if classes else ''}"
        raise no_data(folder, expected.strip(), "folder")
    found = sorted(entry.name for entry in _visible(folder) if entry.is_dir())
    _check_classes(folder, sorted(classes) or found, found)
    files = {name: [file for file in _visible(folder / name) if file.is_file()] for name in found}
    _check_files(folder, files)
    labels = np.repeat(np.arange(len(found)), [len(files[name]) for name in found])
    paths = tuple(str(file) for name in found for file in files[name])
    return Pictures(paths, labels.astype(np.int64), tuple(found))


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as exc:
        problem = f"{folder} cannot be read"
        raise DataError(explain(problem, expected="a folder", found=str(exc))) from exc


def _check_classes(folder: Path, expected: Sequence[str], found: Sequence[str]) -> None:
    if not expected:
        wanted = "at least one folder of pictures, named for what they show"
        raise DataError(explain(f"{folder} holds no class folder", expected=wanted))
    problems = [f"no folder {name!r}" for name in expected if name not in found]
    problems += [
        f"folder {name!r} is not a class.{did_you_mean(name, expected)}"
        for name in found
        if name not in expected
    ]
    if problems:
        hint = f"the classes are {listing(expected)}"
        raise DataError(explain_all(f"{folder} has unexpected class folders", problems, hint=hint))


def _check_files(folder: Path, files: dict[str, list[Path]]) -> None:
    problems = [f"folder {name!r} is empty" for name, inside in files.items() if not inside]
    if problems:
        hint = "every class needs at least one picture"
        raise DataError(explain_all(f"{folder} has classes without pictures", problems, hint=hint))
    with ThreadPoolExecutor() as pool:
        checked = pool.map(_problem, (file for inside in files.values() for file in inside))
        problems = [problem for problem in checked if problem]
    if problems:
        what = f"{folder} holds {len(problems)} files that are not complete pictures"
        hint = "fix them or take them out; JPEG, PNG, GIF, BMP and WebP can be read"
        raise DataError(explain_all(what, problems[:NAMED], hint=hint))


def _problem(file: Path) -> str:
    """Return the problem of a file; empty when there is none."""
    try:
        tf.io.decode_image(file.read_bytes(), channels=3, expand_animations=False)
    except OSError as exc:
        return f"{file}: {exc.strerror}"
    except tf.errors.InvalidArgumentError as exc:
        # The message has the node before the reason and the op after it.
        reason = str(exc.message).rpartition("}}")[2].partition("[Op:")[0].strip()
        return f"{file}: {reason.splitlines()[0] if reason else 'cannot be decoded'}"
    return ""
