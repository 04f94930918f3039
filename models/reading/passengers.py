"""Reads the passengers of the Titanic from CSV files, or writes synthetic ones.

Input: a folder of `train.csv` and `test.csv`, or of `train.csv` or `titanic.csv` alone, of which a
fifth is held out. Output: two tables. The unused columns of the original (PassengerId, Name,
Ticket) are optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from models.reading.columns import Category, Numbers, check_columns, check_two_classes
from models.reading.tables import read_table

__all__ = ["COLUMNS", "PORTS", "RANKS", "SEXES", "TARGET", "read_passengers", "write_passengers"]

TARGET = "Survived"
COLUMNS = ("Pclass", "Sex", "Age", "SibSp", "Parch", "Fare", "Cabin", "Embarked")
RANKS = (1, 2, 3)
SEXES = ("female", "male")
PORTS = ("S", "C", "Q")
RULES: Mapping[str, Category | Numbers] = {
    TARGET: Category((0, 1)),
    "Pclass": Category(RANKS),
    "Sex": Category(SEXES),
    "Age": Numbers(missing=True),
    "SibSp": Numbers(whole=True),
    "Parch": Numbers(whole=True),
    "Fare": Numbers(missing=True),
    "Embarked": Category(PORTS, missing=True),
}
ROWS = {"train.csv": 3_000, "test.csv": 750}
"""Synthetic rows: four times as many as the real data have, because they are noisier."""


def read_passengers(folder: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the training and test passengers, both with `TARGET` and `COLUMNS`.

    Args:
        folder: holds the files.
        seed: chooses the held-out rows when there is no `test.csv`.

    Raises:
        InputNotFoundError: when there is no such file.
        DataError: when a column is missing, or contains invalid values.
    """
    if (folder / "test.csv").is_file():
        train, test = _read(folder / "train.csv"), _read(folder / "test.csv")
    else:
        alone = folder / "titanic.csv"
        table = _read(alone if alone.is_file() else folder / "train.csv")
        order = np.random.default_rng(seed).permutation(len(table))
        held_out = (len(table) + 4) // 5
        train, test = table.iloc[order[held_out:]], table.iloc[order[:held_out]]
    check_two_classes(f"The training part of {folder}", train[TARGET])
    check_two_classes(f"The held-out part of {folder}", test[TARGET])
    return train, test


def write_passengers(folder: Path, seed: int = 0) -> Path:
    """Write synthetic passengers to a folder, created if missing, and return the folder.

    `train.csv` (3 000 rows) and `test.csv` (750) have all twelve columns, missing values in Age,
    Cabin and Embarked, and names with a comma, as in the original. Who survives depends on sex,
    class, age and family, with noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    passengers = _passengers(np.random.default_rng(seed), sum(ROWS.values()))
    start = 0
    for name, rows in ROWS.items():
        passengers.iloc[start : start + rows].to_csv(folder / name, index=False)
        start += rows
    return folder


def _read(file: Path) -> pd.DataFrame:
    table = read_table(file, [TARGET, *COLUMNS])
    check_columns(file, table, RULES)
    return table


def _passengers(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    rank = rng.choice(RANKS, rows, p=[0.24, 0.21, 0.55])
    woman = rng.random(rows) < np.array([0.44, 0.41, 0.29])[rank - 1]
    age = np.round(np.clip(rng.normal(42.0 - 5.0 * rank, 13.0), 1.0, 80.0))
    partners, parents = rng.poisson(0.5, rows), rng.poisson(0.4, rows)
    score = 3.2 * woman - 1.2 * (rank - 2) - 0.04 * (age - 30.0) - 0.4 * partners - 1.2
    has_cabin = rng.random(rows) < np.array([0.8, 0.1, 0.03])[rank - 1]
    cabins = [f"{deck}{number}" for deck, number in _pairs(rng, "ABCDE", rows)]
    return pd.DataFrame(
        {
            "PassengerId": np.arange(1, rows + 1),
            "Survived": (rng.random(rows) < 1.0 / (1.0 + np.exp(-score))).astype(int),
            "Pclass": rank,
            "Name": [f"{name}, {'Mrs.' if one else 'Mr.'} X" for name, one in enumerate(woman)],
            "Sex": np.where(woman, "female", "male"),
            "Age": np.where(rng.random(rows) < 0.2, np.nan, age),
            "SibSp": partners,
            "Parch": parents,
            "Ticket": [f"{letter}/5 {number}" for letter, number in _pairs(rng, "AC", rows)],
            "Fare": np.round(np.exp(rng.normal(5.0 - rank, 0.5)), 4),
            "Cabin": np.where(has_cabin, cabins, ""),
            "Embarked": rng.choice(["S", "C", "Q", ""], rows, p=[0.72, 0.18, 0.09, 0.01]),
        }
    )


def _pairs(rng: np.random.Generator, letters: str, rows: int) -> list[tuple[str, int]]:
    drawn = rng.choice(list(letters), rows)
    return [(str(letter), int(rng.integers(1, 150))) for letter in drawn]
