import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfspark import dtypes
from tfspark.errors import UnsupportedTypeError

ATOMS = dtypes.SQL_TO_ARROW

# Rows: Spark type. Columns: TensorFlow type of the input. Entries: conversion (= exact, + widen,
# ~ round, ? check, - narrow, . refused).
INPUTS = ["float32", "float64", "int32", "uint8", "int16", "int8"]
INPUTS += ["string", "int64", "bool", "uint16", "float16", "uint32", "bfloat16", "uint64"]
CONVERSIONS = {
    "tinyint": "+ + + ? + = . + . ? + ? + ?",
    "smallint": "+ + + ? = ? . + . ? ~ ? ~ ?",
    "int": "~ + = ? ? ? . + . ? ~ ? ~ ?",
    "bigint": "~ ~ ? ? ? ? . = . ? ~ ? ~ ?",
    "float": "= + - - - - . - . - ~ - ~ -",
    "double": "~ = - - - - . - . - ~ - ~ -",
    "boolean": "+ + + + + + . + = + + + + +",
    "string": ". . . . . . = . . . . . . .",
    "binary": ". . . . . . = . . . . . . .",
    "decimal(9,0)": "~ ~ ? ? ? ? . ? . ? ~ ? ~ ?",
    "decimal(9,2)": "~ ~ - - - - . - . - ~ - ~ -",
}
SIGNS = {"=": "exact", "+": "widen", "~": "round", "?": "check", "-": "narrow", ".": None}
TYPES = ATOMS | {f"decimal(9,{scale})": pa.decimal128(9, scale) for scale in (0, 2)}


@pytest.mark.parametrize(
    ("sql", "name", "expected"),
    [
        (sql, name, SIGNS[sign])
        for sql, signs in CONVERSIONS.items()
        for name, sign in zip(INPUTS, signs.split(), strict=True)
    ],
)
def test_conversion_of_a_column_to_an_input(sql, name, expected):
    assert dtypes.conversion(TYPES[sql], dtypes.by_name(name)) == expected


def test_the_conversion_table_is_complete():
    assert sorted(INPUTS) == sorted(row.name for row in dtypes.TABLE)
    assert CONVERSIONS.keys() == TYPES.keys()


EDGES = {
    "i": lambda t: [np.iinfo(t).min, np.iinfo(t).min + 1, 0, np.iinfo(t).max - 1, np.iinfo(t).max],
    "f": lambda t: [np.finfo(t).min, np.finfo(t).tiny, np.finfo(t).eps, np.finfo(t).max, np.inf],
    "b": lambda t: [False, True],
}


@pytest.mark.parametrize("row", dtypes.TABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("sql", [name for name in ATOMS if name not in ("string", "binary")])
def test_only_a_lossless_conversion_is_called_wide(sql, row):
    if dtypes.conversion(ATOMS[sql], row) not in ("exact", "widen"):
        return
    source = np.dtype(ATOMS[sql].to_pandas_dtype())
    values = np.array(EDGES[source.kind](source), source)
    wide = values.astype(row.numpy)
    assert [int(v) if source.kind == "i" else v for v in wide] == values.tolist()


@pytest.mark.parametrize("row", dtypes.TABLE, ids=lambda row: row.name)
def test_an_output_type_holds_every_value_of_the_tensor(row):
    if row.is_string:
        return
    if dtypes.is_decimal(row.arrow):
        assert (row.arrow.scale, row.sql) == (0, dtypes.sql_name(row.arrow))
        assert 10**row.arrow.precision > np.iinfo(row.numpy).max
        return
    assert np.can_cast(row.numpy, row.arrow.to_pandas_dtype(), "safe")
    assert ATOMS[row.sql] == row.arrow


def test_supported_and_unsupported_do_not_overlap():
    numbers = [row.number for row in dtypes.TABLE]
    names = [row.name for row in dtypes.TABLE]
    assert len({*numbers, *dtypes.UNSUPPORTED}) == len(numbers) + len(dtypes.UNSUPPORTED)
    assert not set(names) & {name for name, _ in dtypes.UNSUPPORTED.values()}
    assert len(set(names)) == len(names)


def test_every_number_up_to_uint64_has_a_decision():
    decided = {row.number for row in dtypes.TABLE} | set(dtypes.UNSUPPORTED)
    assert set(range(1, 24)) <= decided


@pytest.mark.parametrize("row", dtypes.TABLE, ids=lambda row: row.name)
def test_names_and_numbers_lead_to_the_same_row(row):
    assert dtypes.name_of(row.number) == row.name
    assert dtypes.by_name(row.name) is row
    assert dtypes.reason_unsupported(row.name) is None


@pytest.mark.parametrize(("name", "reason"), dtypes.UNSUPPORTED.values())
def test_an_unsupported_type_says_why(name, reason):
    with pytest.raises(
        UnsupportedTypeError, match=f"^TensorFlow type {name} cannot pass"
    ) as caught:
        dtypes.by_name(name)
    assert reason in str(caught.value)
    assert "expected: float32, float64" in str(caught.value)


@pytest.mark.parametrize(("number", "name"), [(24, "float8_e5m2"), (29, "int4")])
def test_a_small_type_is_named_and_refused(number, name):
    assert dtypes.name_of(number) == name
    assert dtypes.reason_unsupported(name).startswith("cast to a type")


@pytest.mark.parametrize("number", [0, 34, 101, 999])
def test_a_number_of_the_future_is_named_and_refused(number):
    name = dtypes.name_of(number)
    assert name == f"DataType {number}"
    with pytest.raises(UnsupportedTypeError, match="Hint: cast to a type"):
        dtypes.by_name(name)


LISTS = [pa.list_, pa.large_list, lambda arrow: pa.list_(arrow, 3)]


@given(st.sampled_from(list(ATOMS)), st.lists(st.sampled_from(LISTS), max_size=4))
def test_lists_of_any_kind_are_taken_apart_and_named(sql, lists):
    arrow = ATOMS[sql]
    for make in lists:
        arrow = make(arrow)
    assert dtypes.element_of(arrow) == (ATOMS[sql], len(lists))
    assert dtypes.sql_name(arrow) == "array<" * len(lists) + sql + ">" * len(lists)
    assert dtypes.element_of(dtypes.nested(ATOMS[sql], len(lists))) == (ATOMS[sql], len(lists))


@pytest.mark.parametrize(
    ("arrow", "name"),
    [
        (pa.large_string(), "string"),
        (pa.list_(pa.large_binary()), "array<binary>"),
        (pa.map_(pa.string(), pa.int32()), "map<string, int32>"),
        (pa.list_(pa.timestamp("us")), "array<timestamp_ntz>"),
        (pa.timestamp("us", "UTC"), "timestamp"),
        (pa.timestamp("ns"), "timestamp[ns]"),
        (pa.list_(pa.decimal128(10, 2)), "array<decimal(10,2)>"),
    ],
)
def test_sql_name_of_other_types(arrow, name):
    assert dtypes.sql_name(arrow).startswith(name)


@pytest.mark.parametrize(
    "arrow",
    [
        pa.timestamp("us"),
        pa.date32(),
        pa.null(),
        pa.struct([("a", pa.int32())]),
        pa.dictionary(pa.int32(), pa.string()),
        pa.string_view(),
        pa.duration("s"),
    ],
    ids=str,
)
def test_other_arrow_types_feed_nothing(arrow):
    assert [dtypes.conversion(arrow, row) for row in dtypes.TABLE] == [None] * len(dtypes.TABLE)
