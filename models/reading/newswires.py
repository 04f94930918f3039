"""Token lists with their topics as an `.npz` file: read and checked, or made up in that form.

In: a folder with `reuters.npz`, which holds `x`, an object array of token lists, and `y`, their
topics. Out: `Newswires`, a fifth of them held out.

NumPy keeps object arrays as pickles, and reading a pickle may run code that somebody put into it:
read only files that you trust. Token lists are the ranks of words by frequency, from 1.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.refusal import DataError
from tfspark.errors import InputNotFoundError, explain

__all__ = ["TOPICS", "Newswires", "read_newswires", "write_newswires"]

TOPICS = 46
FILE = "reuters.npz"
LAYOUT = f"'x', an object array of token lists, and 'y', as many topics from 0 to {TOPICS - 1}"
BROKEN = (
    *(OSError, EOFError, ValueError, zipfile.BadZipFile),  # no archive
    *(KeyError, TypeError, AttributeError),  # another archive
    *(pickle.UnpicklingError, ImportError),  # pickles of something else
)

Array = np.ndarray[Any, Any]


class Newswires(NamedTuple):
    """Token lists to learn from and token lists to judge by.

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
        InputNotFoundError: when the file is not there.
        DataError: when it holds something else.
    """
    tokens, topics = _read(folder / FILE)
    order = np.random.default_rng(seed).permutation(len(topics))
    learn, judge = np.split(order, [len(order) - len(order) // 5])
    return Newswires(tokens[learn], topics[learn], tokens[judge], topics[judge])


def write_newswires(folder: Path, seed: int = 0) -> Path:
    """Write 4 000 made-up newswires; a topic has 20 words of its own, a third of each newswire."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shares = 1 / np.arange(4, TOPICS + 4)
    topics = rng.choice(TOPICS, 4000, p=shares / shares.sum())
    own = rng.permutation(np.arange(100, 2000))[: TOPICS * 20].reshape(TOPICS, 20)
    x = _objects([_made_up(rng, own[topic]).tolist() for topic in topics])
    np.savez(folder / FILE, x=x, y=topics)
    return folder


def _read(file: Path) -> tuple[Array, Array]:
    if not file.is_file():
        problem = f"No file {file.name} in {file.parent}"
        raise InputNotFoundError(explain(problem, expected=LAYOUT))
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=True) as arrays:
            x, y = np.atleast_1d(arrays["x"]), np.asarray(arrays["y"].tolist())
    except BROKEN as exc:
        found = f"{type(exc).__name__}: {exc}"
        raise DataError(explain(f"{file} is no such file", expected=LAYOUT, found=found)) from exc
    tokens = _objects([_token_list(file, number, row) for number, row in enumerate(x)])
    counted = y.dtype.kind == "i" and y.shape == tokens.shape != (0,)
    if not counted or y.min() < 0 or y.max() >= TOPICS:
        found = f"{len(tokens)} token lists, topics of {y.dtype} {y.shape}"
        found += f" from {y.min()} to {y.max()}" if counted else ""
        raise DataError(explain(f"{file} has other topics", expected=LAYOUT, found=found))
    return tokens, y.astype(np.int64)


def _token_list(file: Path, number: int, row: Any) -> Array:
    with suppress(ValueError, OverflowError):  # lists in lists, and what is no int32
        tokens = np.asarray(row)
        if tokens.ndim == 1 and (tokens.dtype.kind == "i" or tokens.size == 0):
            return np.array(tokens.tolist(), np.int32)
    expected, found = "lists of integers", f"row {number} of 'x' is {row!r:.60}"
    raise DataError(explain(f"{file} has other rows", expected=expected, found=found))


def _objects(rows: Sequence[Any]) -> Array:
    """Make an array of lists, which NumPy would turn into a matrix where all are equally long."""
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def _made_up(rng: np.random.Generator, own: Array) -> Array:
    """Draw a newswire: a third of its words tells the topic, the rest are anybody's."""
    count = int(rng.integers(20, 400))
    return np.where(rng.random(count) < 1 / 3, rng.choice(own, count), rng.zipf(1.3, count) % 12000)
