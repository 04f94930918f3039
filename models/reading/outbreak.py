"""Reads the daily counts of an outbreak and checks them, or writes synthetic ones.

Input: a folder with `covid.tsv` or `covid-19.csv`, also tab-separated, with the header
`date`, `confirmed_num`, `cured_num`, `dead_num`: one row per day, the totals until then. Output:
`Outbreak`, the daily differences and the windows that a network learns from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from models.reading.tables import read_table
from models.refusal import DataError
from tfspark.errors import explain

__all__ = ["COUNTS", "WINDOW", "Outbreak", "read_outbreak", "write_outbreak"]

COUNTS = ("confirmed_num", "cured_num", "dead_num")
WINDOW = 8
"""Days of a window; the model predicts the day after it."""
DAYS = 47

Array = np.ndarray[Any, Any]


class Outbreak(NamedTuple):
    """The new cases of each day, and windows over them, shifted by one day each.

    Attributes:
        days: (n, 3) float32, new confirmed, cured and dead.
        windows: (n - 8, 8, 3) float32.
        next_days: (n - 8, 3) float32, the day after each window.
    """

    days: Array
    windows: Array
    next_days: Array


def read_outbreak(folder: Path) -> Outbreak:
    """Read the table of a folder.

    Raises:
        InputNotFoundError: when there is none.
        DataError: when columns are missing, dates do not rise, a count is no number, or there are
            too few days for one window and the day after it.
    """
    other = folder / "covid-19.csv"
    file = other if other.is_file() else folder / "covid.tsv"
    table = read_table(file, ["date", *COUNTS], sep="\t")
    dates = pd.to_datetime(table["date"], errors="coerce", format="ISO8601")
    totals = table[list(COUNTS)].apply(pd.to_numeric, errors="coerce")
    rising = dates.diff().iloc[1:] > pd.Timedelta(0)
    for bad, expected in (
        (dates.isna(), "dates such as 2020-01-24"),
        (totals.isna().any(axis=1), "a number in each count"),
        (~rising, "dates that rise from row to row"),
    ):
        if bad.any():
            row = int(bad.index[bad.to_numpy()][0])
            found = f"row {row + 1}: {table.iloc[row].tolist()}"
            raise DataError(explain(f"{file} has invalid rows", expected=expected, found=found))
    days = np.diff(totals.to_numpy(np.float64), axis=0).astype(np.float32)
    if len(days) <= WINDOW:
        expected = f"at least {WINDOW + 2} days, for a window of {WINDOW} differences and one more"
        found = f"{len(table)} days"
        raise DataError(explain(f"{file} is too short", expected=expected, found=found))
    windows = np.lib.stride_tricks.sliding_window_view(days[:-1], WINDOW, axis=0)
    return Outbreak(days, np.ascontiguousarray(windows.transpose(0, 2, 1)), days[WINDOW:])


def write_outbreak(folder: Path, seed: int = 0) -> Path:
    """Write 47 synthetic days, that is 38 windows: a wave of cases, then of the cured and dead."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    day = np.arange(DAYS)[:, None]
    peak, width, height = np.array([[16, 33, 22], [7, 10, 9], [3500, 3000, 120]])
    wave = height * np.exp(-(((day - peak) / width) ** 2) / 2) + 5
    totals = np.cumsum(np.ceil(wave * rng.normal(1.0, 0.1, wave.shape).clip(0.5)), axis=0)
    table = pd.DataFrame(totals.astype(int), columns=list(COUNTS))
    table.insert(0, "date", pd.date_range("2020-01-24", periods=DAYS).strftime("%Y-%m-%d"))
    table.to_csv(folder / "covid.tsv", sep="\t", index=False)
    return folder
