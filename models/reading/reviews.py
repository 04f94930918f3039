"""Reads labelled reviews from text files and checks them, or writes synthetic ones.

Input: a folder with `train.tsv` and `test.tsv` (or `.csv`, also tab-separated): label 0 or 1, a
tab, the review, which may be empty; no header, nothing quoted. Output: `Reviews`, the text
unchanged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.reading.tables import read_table
from models.refusal import DataError
from tfspark.errors import explain

__all__ = ["Reviews", "read_reviews", "write_reviews"]

Array = np.ndarray[Any, Any]


class Reviews(NamedTuple):
    """Training and test reviews.

    Attributes:
        text: (n,) object, the reviews.
        positive: (n,) int64, 1 or 0.
        test_text: the reviews of the test file.
        test_positive: their labels.
    """

    text: Array
    positive: Array
    test_text: Array
    test_positive: Array


def read_reviews(folder: Path) -> Reviews:
    """Read both files of a folder.

    Raises:
        InputNotFoundError: when a file does not exist.
        DataError: when one is empty, or has a line that is not a labelled review.
    """
    return Reviews(*_read(folder, "train"), *_read(folder, "test"))


def write_reviews(folder: Path, seed: int = 0) -> Path:
    """Write 2 000 + 500 synthetic reviews: positive and negative words, with some noise."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for file, rows in (("train.tsv", 2000), ("test.tsv", 500)):
        lines = (f"{label}\t{_review(rng, label)}\n" for label in rng.integers(0, 2, rows))
        (folder / file).write_text("".join(lines), encoding="utf-8")
    return folder


def _read(folder: Path, part: str) -> tuple[Array, Array]:
    csv = folder / f"{part}.csv"
    file = csv if csv.is_file() else folder / f"{part}.tsv"
    table = read_table(file, ["label", "review"], sep="\t", header=False)
    labels = table["label"].astype(str).to_numpy()
    wrong = np.flatnonzero(~np.isin(labels, ["0", "1"]))
    if wrong.size:
        raise DataError(
            explain(
                f"{file} has lines that are not labelled reviews: {wrong.size} of {len(labels)}",
                expected="0 or 1, a tab, the review; no header",
                found=f"line {wrong[0] + 1} starts with {labels[wrong[0]]!r}",
            )
        )
    return table["review"].astype(str).to_numpy(dtype=object), (labels == "1").astype(np.int64)


def _review(rng: np.random.Generator, label: int) -> str:
    """Create a review: an eighth of its words depends on the label, a fifth of these is wrong."""
    count = int(rng.integers(20, 240))
    depends, wrong = rng.random(count) < 0.125, rng.random(count) < 0.2
    kinds = np.where(depends, np.where(wrong, 1 - label, label), 2)
    stems, ends = ["bad", "good", "word"], [".", "!", ",", " <br /><br />"]
    numbers = rng.integers(0, np.where(depends, 40, 3000))
    words = [f"{stems[kind]}{number}" for kind, number in zip(kinds, numbers, strict=True)]
    for place in np.flatnonzero(rng.random(count) < 0.1):
        words[place] = words[place].capitalize() + str(rng.choice(ends))
    return " ".join(words)
