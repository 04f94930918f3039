"""The rules of numbers: which column feeds which input, the value fed, and bad rows."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.thirdparty.rounding import FLOATS, INTEGERS, fed
from tfspark.columns import columns_of
from tfspark.dtypes import TABLE, by_name
from tfspark.errors import BindingError, RowError
from tfspark.options import ScoreOptions
from tfspark.runner import score
from tfspark.schema import bind
from tfspark.signature import Signature, TensorSpec
from tfspark.testing import FakeEngine

INF, NAN = float("inf"), float("nan")
TIES = [1.00048828125, 1.000488281250001, 1 + 2**-24, 1 + 2**-24 + 2**-50, 2.98e-8, 65519.99999]

# Spark's type → its Arrow type, and values at the limits of the type and of the inputs it feeds.
NUMBERS: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
    "tinyint": (pa.int8(), [-128, -1, 0, 127]),
    "smallint": (pa.int16(), [-(2**15), -129, 255, 256, 2049, 2**15 - 1]),
    "int": (pa.int32(), [-(2**31), -1, 65519, 65520, 2**16, 2**24 + 1, 2**31 - 1]),
    "bigint": (pa.int64(), [-(2**63), 2**32 - 1, 2**32, 2**53 + 1, 2**63 - 1, 2**60 + 2**36 + 1]),
    "float": (pa.float32(), [0.5, -0.0, 1e-45, 3.4028234663852886e38, 255.0, 256.0, INF, NAN]),
    "double": (pa.float64(), [0.1, 1e308, -1e-320, 2.0**31, 2.0**63, -7.0, -INF, NAN, *TIES]),
    "decimal(10,0)": (pa.decimal128(10), [Decimal(n) for n in (0, -1, 255, 2**31, 9999999999)]),
    "decimal(38,0)": (pa.decimal128(38), [Decimal(n) for n in (2**53 + 1, 2**63, 10**38 - 1, -7)]),
    "decimal(38,18)": (
        pa.decimal128(38, 18),
        [
            Decimal(text)
            for text in (
                "0.1",
                "1.000000059604644775",  # slightly less than halfway between two floats
                "1.000000059604644776",  # and slightly more
                "1.000488281250000001",  # halfway between two halves, plus a tiny bit
                "65519.999999999999999999",
                "9007199254740993.000000000000000001",
                "-99999999999999999999.999999999999999999",
                "255",
                "7.000000000000000001",
            )
        ],
    ),
    "boolean": (pa.bool_(), [False, True]),
}
WITH_FRACTIONS = ("float", "double", "decimal(38,18)")
NO_NUMBERS = {
    "string": (pa.string(), "string"),
    "binary": (pa.binary(), "binary"),
    "date": (pa.date32(), "unix_date"),
    "timestamp": (pa.timestamp("us", "UTC"), r"unix_(seconds|millis|micros|timestamp)"),
    "timestamp_ntz": (pa.timestamp("us"), r"unix_(seconds|millis|micros|timestamp)|cast"),
    "interval day to second": (pa.duration("us"), "extract|EXTRACT|date_part|cast"),
    "time": (pa.time64("us"), "time_to|extract|EXTRACT|hour|cast|column 'x' is"),
}
TARGETS = [row.name for row in TABLE if row.name != "string"]


def signature(dtype: str, shape: tuple[int | None, ...] = (None,)) -> Signature:
    return Signature(
        "serve", (TensorSpec("x", dtype, shape),), (TensorSpec("y", "int64", (None,)),)
    )


def rule(source: str, target: str) -> str:
    """Return the designed rule for a column and an input."""
    if target == "bool" or source == "boolean":
        return "accepted" if target != "bool" or source == "boolean" else "refused"
    return "narrow" if target in INTEGERS and source in WITH_FRACTIONS else "accepted"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", NUMBERS)
def test_column_feeds_input_as_the_rule_says(source: str, target: str) -> None:
    columns = columns_of(pa.schema({"x": NUMBERS[source][0]}))

    def verdict(*, narrow: bool) -> bool:
        try:
            bind(signature(target), columns, options=ScoreOptions(narrow=narrow))
        except BindingError as error:
            return f"column 'x' of {source}" not in str(error)
        return True

    found = {(True, True): "accepted", (False, True): "narrow", (False, False): "refused"}
    assert found[verdict(narrow=False), verdict(narrow=True)] == rule(source, target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", NO_NUMBERS)
def test_what_is_no_number_feeds_none(source: str, target: str) -> None:
    arrow, words = NO_NUMBERS[source]
    if (source, target) == ("binary", "uint8"):
        pytest.skip("bytes are pixels to an input of uint8")
    with pytest.raises(BindingError, match=words):
        bind(
            signature(target),
            columns_of(pa.schema({"x": arrow})),
            options=ScoreOptions(narrow=True),
        )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", NUMBERS)
def test_value_becomes_the_nearest_or_its_row_is_bad(source: str, target: str) -> None:
    if rule(source, target) == "refused":
        pytest.skip("refused by its type")
    arrow, values = edges(source)
    wrong = [
        (value, found, wanted)
        for value in values
        for found, wanted in [(tensor_of([value], arrow, target), fed(value, target))]
        if bits(found, target) != bits(wanted, target)
    ]
    assert not wrong


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", NUMBERS)
def test_good_values_pass_together_as_they_do_alone(source: str, target: str) -> None:
    if rule(source, target) == "refused":
        pytest.skip("refused by its type")
    arrow, values = edges(source)
    good = [value for value in values if fed(value, target) is not None]
    found = tensor_of([None, *good, None, *good], arrow, target, whole=True)
    assert [bits(one, target) for one in found] == [bits(fed(v, target), target) for v in good * 2]


def edges(source: str) -> tuple[pa.DataType, Sequence[Any]]:
    """Return the type of a column and its values, in the precision of that type."""
    arrow, values = NUMBERS[source]
    return arrow, pa.array(values, arrow).to_pylist()


def tensor_of(
    values: Sequence[Any], arrow: pa.DataType, target: str, *, whole: bool = False
) -> Any:
    """Return the values that a column feeds to a model; `None` for a refused row."""
    batch = pa.record_batch({"x": pa.array(values, arrow)})
    bound = bind(signature(target), columns_of(batch.schema), options=ScoreOptions(narrow=True))
    given: list[Any] = []

    def remember(inputs: Any) -> dict[str, Any]:
        given.extend(inputs["x"])
        return {"y": np.zeros(len(inputs["x"]), np.int64)}

    try:
        list(score([batch], bound, FakeEngine(remember)))
    except RowError as refusal:
        return None if "row 0" in str(refusal) and target in str(refusal) else str(refusal)
    assert all(value.dtype == by_name(target).numpy for value in given)
    return given if whole else given[0]


def bits(value: Any, dtype: str) -> Any:
    """Return a value that is equal for equal bits; all NaN values are equal."""
    if value is None or dtype not in FLOATS:
        return value if value is None else int(value)
    return "nan" if value != value else struct.pack("d", float(value))
