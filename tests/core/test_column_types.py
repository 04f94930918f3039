"""Which types a column of an existing target holds without a change."""

from __future__ import annotations

import pytest

from tfspark.scoring.output.column_types import holds, stored

STRUCT = "struct<a:int,b:array<decimal(9,2)>>"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("bigint", "tinyint"),
        ("array<double>", "array<float>"),
        ("decimal(12,2)", "decimal(10,1)"),
        ("decimal(12,2)", "int"),
        ("bigint", "decimal(18,0)"),
        ("int", "decimal(9,0)"),
        ("float", "smallint"),
        ("timestamp", "date"),
        ("timestamp", "timestamp_ntz"),
        ("timestamp_ntz", "date"),
        ("interval day to second", "interval day"),
        ("interval hour to minute", "interval day to hour"),
        ("interval month", "interval year"),
        ("string", "string collate UNICODE_CI"),
        ("char(5)", "string"),
        ("map<string,double>", "map<string,float>"),
        ("struct<a:bigint,b:array<decimal(9,2)>>", STRUCT.replace("a:", "A:")),
        ("date", "void"),
    ],
)
def test_table_widens_what_keeps_its_value(column: str, values: str) -> None:
    assert holds(column, values, may_widen=True)
    assert not holds(column, values, may_widen=False) or values == "void"
    assert holds(column, column, may_widen=False)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("float", "double"),
        ("float", "int"),
        ("decimal(10,2)", "float"),
        ("decimal(10,2)", "decimal(10,3)"),
        ("decimal(10,2)", "decimal(11,2)"),
        ("decimal(10,2)", "int"),
        ("double", "decimal(5,1)"),
        ("interval day to minute", "interval second"),
        ("interval year", "interval year to month"),
        ("interval day to second", "interval month"),
        ("date", "timestamp"),
        ("timestamp_ntz", "timestamp"),
        ("bigint", "decimal(19,0)"),
        ("bigint", "decimal(9,1)"),
        ("string", "int"),
        ("array<date>", "array<timestamp>"),
        ("array<int>", "int"),
        ("map<string,int>", "map<string,bigint>"),
        (STRUCT, "struct<b:array<decimal(9,2)>,a:int>"),
        (STRUCT, "struct<a:int>"),
        (STRUCT, "struct<a:int,b:array<decimal(9,3)>>"),
    ],
)
def test_values_that_would_change_are_refused(column: str, values: str) -> None:
    assert not holds(column, values, may_widen=True)


@pytest.mark.parametrize(
    ("values", "file_format", "expected"),
    [
        ("smallint", "avro", "int"),
        ("struct<tinyint:tinyint,a:array<bigint>>", "avro", "struct<tinyint:int,a:array<bigint>>"),
        ("smallint", "orc", "smallint"),
        ("array<string collate UNICODE_CI>", "orc", "array<string>"),
        ("string collate UNICODE_CI", "parquet", "string collate UNICODE_CI"),
    ],
)
def test_types_that_a_format_lacks_come_back_as_others(
    values: str, file_format: str, expected: str
) -> None:
    assert stored(values, file_format) == expected
