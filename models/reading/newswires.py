"""Reads token lists and topics from an `.npz` file and checks them, or writes synthetic ones.

Input: a folder with `reuters.npz`, which holds `x`, an object array of token lists, and `y`, their
topics. Output: `Newswires`, a fifth of them held out.

NumPy stores object arrays as pickles, and a pickle can run code when it is read: read only files
that you trust. Token lists are the ranks of words by frequency, from 1.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.refusal import DataError, no_data
from tfspark.errors import explain

__all__ = ["TOPICS", "Newswires", "read_newswires", "write_newswires"]

TOPICS = 46
FILE = "reuters.npz"
LAYOUT = f"'x', an object array of token lists, and 'y', as many topics from 0 to {TOPICS - 1}"
BROKEN = (
    *(OSError, EOFError, ValueError, zipfile.BadZipFile),  # not an archive
    *(KeyError, TypeError, AttributeError),  # another archive
    *(pickle.UnpicklingError, ImportError),  # pickles of something else
)

Array = np.ndarray[Any, Any]


class Newswires(NamedTuple):
    """Training and test token lists.

    Attributes:
        tokens: (n,) object, int32 arrays of different lengths.
        topics: (n,) int64, from 0 to 45.
        test_tokens: the held-out fifth.
        test_topics: their topics.
    """

    tokens: Array
    topics: Array
    test_tokens: Array
    test_topics: Array


def read_newswires(folder: Path, seed: int = 0) -> Newswires:
    """Read the file of a folder and hold out a fifth of it, drawn by the seed.

    Raises:
        InputNotFoundError: when the file does not exist.
        DataError: when its content is something else.
    """
    tokens, topics = _read(folder / FILE)
    order = np.random.default_rng(seed).permutation(len(topics))
    learn, judge = np.split(order, [len(order) - len(order) // 5])
    return Newswires(tokens[learn], topics[learn], tokens[judge], topics[judge])


def write_newswires(folder: Path, seed: int = 0) -> Path:
    """Write 4 000 synthetic newswires; each topic has 20 own words, a third of each newswire."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shares = 1 / np.arange(4, TOPICS + 4)
    topics = rng.choice(TOPICS, 4000, p=shares / shares.sum())
    own = rng.permutation(np.arange(100, 2000))[: TOPICS * 20].reshape(TOPICS, 20)
    x = _objects([_newswire(rng, own[topic]).tolist() for topic in topics])
    np.savez(folder / FILE, x=x, y=topics)
    return folder


def _read(file: Path) -> tuple[Array, Array]:
    if not file.is_file():
        raise no_data(file, LAYOUT)
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=True) as arrays:
            x, y = np.atleast_1d(arrays["x"]), np.asarray(arrays["y"].tolist())
    except BROKEN as exc:
        found = f"{type(exc).__name__}: {exc}"
        raise DataError(
            explain(f"{file} is not a Reuters file", expected=LAYOUT, found=found)
        ) from exc
    tokens = _objects([_token_list(file, number, row) for number, row in enumerate(x)])
    counted = y.dtype.kind == "i" and y.shape == tokens.shape != (0,)
    if not counted or y.min() < 0 or y.max() >= TOPICS:
        found = f"{len(tokens)} token lists, topics of {y.dtype} {y.shape}"
        found += f" from {y.min()} to {y.max()}" if counted else ""
        raise DataError(explain(f"{file} has invalid topics", expected=LAYOUT, found=found))
    return tokens, y.astype(np.int64)


def _token_list(file: Path, number: int, row: Any) -> Array:
    with suppress(ValueError, OverflowError):  # nested lists, and values that are not int32
        tokens = np.asarray(row)
        if tokens.ndim == 1 and (tokens.dtype.kind == "i" or tokens.size == 0):
            return np.array(tokens.tolist(), np.int32)
    expected, found = "lists of integers", f"row {number} of 'x' is {row!r:.60}"
    raise DataError(explain(f"{file} has invalid rows", expected=expected, found=found))


def _objects(rows: Sequence[Any]) -> Array:
    """Create an array of lists; NumPy would create a matrix from lists of equal lengths."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def _newswire(rng: np.random.Generator, own: Array) -> Array:
    """Draw a newswire: a third of its words belongs to the topic, the rest is random."""
    count = int(rng.integers(20, 400))
    return np.where(rng.random(count) < 1 / 3, rng.choice(own, count), rng.zipf(1.3, count) % 12000)
