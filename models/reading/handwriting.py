"""Reads digits of 28×28 pixels from `mnist.npz`, or creates such a file from scikit-learn's digits.

Input: a folder with `mnist.npz` in the form that Keras publishes. Output: the arrays, pictures with
a channel dimension. Values are not scaled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from models.reading.npz import read_npz
from models.refusal import DataError
from tfspark.errors import explain

__all__ = ["CLASSES", "SIDE", "Digits", "enlarged_digits", "read_digits", "write_digits"]

FILE = "mnist.npz"
SIDE = 28
CLASSES = 10

Array = np.ndarray[Any, Any]


class Digits(NamedTuple):
    """Training and test pictures.

    Attributes:
        x: (n, 28, 28, 1) uint8, grey values from 0 to 255.
        y: (n,) int64, the digit.
        test_x: other pictures.
        test_y: their digits.
    """

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def read_digits(folder: Path) -> Digits:
    """Read `mnist.npz` of a folder.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when an array is missing, or has another shape or invalid values.
    """
    file = folder / FILE
    images, labels = (None, SIDE, SIDE), (None,)
    shapes = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    arrays = read_npz(file, shapes)
    return Digits(*_checked(file, arrays, "train"), *_checked(file, arrays, "test"))


def enlarged_digits() -> tuple[Array, Array]:
    """Return scikit-learn's 1 797 digits, enlarged from 8×8: (n, 28, 28) uint8, and (n,) uint8."""
    pixels, labels = load_digits(return_X_y=True)
    grey = pixels.reshape(-1, 8, 8, 1) * (255.0 / 16.0)
    large = tf.image.resize(grey, (SIDE, SIDE), method="bicubic").numpy()[..., 0]
    return np.clip(np.round(large), 0, 255).astype(np.uint8), labels.astype(np.uint8)


def write_digits(folder: Path, seed: int = 0) -> Path:
    """Write `mnist.npz` with the digits of `enlarged_digits` to a folder, and return the folder.

    Args:
        folder: created if missing.
        seed: seed of the order; the first fifth is the test part.
    """
    images, labels = enlarged_digits()
    order = np.random.default_rng(seed).permutation(len(labels))
    test, rest = np.split(order, [len(order) // 5])
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / FILE,
        x_train=images[rest],
        y_train=labels[rest],
        x_test=images[test],
        y_test=labels[test],
    )
    return folder


def _checked(file: Path, arrays: dict[str, Array], part: str) -> tuple[Array, Array]:
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    problem, expected, found = "", "", ""
    if len(x) != len(y):
        problem = f"x_{part} and y_{part} in {file} differ in length"
        expected, found = f"{len(x)} labels", str(len(y))
    elif x.dtype != np.uint8:
        problem, expected, found = f"x_{part} in {file} has another type", "uint8", str(x.dtype)
    elif not np.isin(y, np.arange(CLASSES)).all():
        other = y[~np.isin(y, np.arange(CLASSES))][0]
        problem = f"y_{part} in {file} has invalid labels"
        expected, found = "whole numbers from 0 to 9", str(other)
    if problem:
        raise DataError(explain(problem, expected=expected, found=found))
    return x[..., np.newaxis], y.astype(np.int64)
