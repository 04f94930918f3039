"""A pandas UDF on the series that Spark passes to it; no session."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tfspark.signature import TensorSpec
from tfspark.spark.pandas_function import _array

LONG = 2**60 + 2**36 + 1  # as a double, it lies between two 32-bit floats
FLOATS = TensorSpec("x", "float32", (None, None))


def series(*values: Any) -> pd.Series:
    held = np.empty(len(values), dtype=object)
    held[:] = values
    return pd.Series(held)


@pytest.mark.parametrize(
    ("values", "nulls", "found"),
    [
        ([np.array([LONG, 1]), None], [None, "{}"], [[LONG, 1], None]),
        # A null among integers, as Spark 3.5 shows it.
        (
            [np.array([1.0, np.nan]), np.array([2.0, 3.0])],
            ['{"value":[1,null]}', None],
            [[1, None], [2, 3]],
        ),
    ],
)
def test_long_integers_in_arrays_keep_their_digits(
    values: list[Any], nulls: list[str | None], found: list[Any]
) -> None:
    types = pd.Series(["array<bigint>"] * len(values))
    array = _array(series(*values), pd.Series(nulls), types, FLOATS, "argument 1")
    assert array.type == pa.list_(pa.int64())
    assert array.to_pylist() == found


def test_integers_that_came_as_floats_may_be_larger_than_any() -> None:
    types = pd.Series(["array<bigint>"])
    array = _array(series(np.array([2.0**63])), pd.Series([None]), types, FLOATS, "argument 1")
    assert array.to_pylist() == [[2.0**63]]
