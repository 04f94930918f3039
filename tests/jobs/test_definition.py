"""Flags and options that would have no effect on an input, or on a table that exists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tfspark.errors import UsageError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.definition import refuse_definition, refuse_other_definition
from tfspark.scoring.unused_options import refuse_unused
from tfspark.spark.cluster import tables

TABLE = Dataset(table="db.y")


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"format": "csv"}, "keeps its format"),
        ({"partition_by": ["h"]}, "keeps its partitions"),
        ({"partition_by": ["g", "h"]}, "keeps its partitions"),
        ({"options": {"compression": "zstd"}}, "leave out --output-option"),
    ],
)
def test_a_table_keeps_its_definition(given: dict[str, Any], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        refuse_other_definition(replace(TABLE, **given), "orc", ["g"], takes_options=False)


@pytest.mark.parametrize(
    "given", [{}, {"format": "orc"}, {"partition_by": ["G"]}, {"options": {"a": "1"}}]
)
def test_what_a_table_has_may_be_named(given: dict[str, Any]) -> None:
    refuse_other_definition(replace(TABLE, **given), "orc", ["`g`"], takes_options=True)


def test_a_table_of_iceberg_has_files_of_a_format() -> None:
    refuse_other_definition(replace(TABLE, format="orc"), "iceberg", [], takes_options=True)
    with pytest.raises(UsageError, match="keeps its format"):
        refuse_other_definition(replace(TABLE, format="csv"), "iceberg", [], takes_options=True)


@pytest.mark.parametrize("given", [{"format": "orc"}, {"partition_by": ["g"]}])
def test_a_table_of_a_database_has_no_definition(given: dict[str, Any]) -> None:
    refuse_definition(replace(TABLE, options={"batchsize": "9"}))
    with pytest.raises(UsageError, match="because a database stores it"):
        refuse_definition(replace(TABLE, **given))


def test_options_of_a_table_that_is_read_are_refused() -> None:
    refuse_unused(TABLE, is_read=True)
    with pytest.raises(UsageError, match="have no effect on the table"):
        refuse_unused(replace(TABLE, options={"versionAsOf": "1"}), is_read=True)


def test_the_names_of_options_have_any_case() -> None:
    there = Dataset("/y", format="csv", options={"HEADER": "false", "Sep": ";"})
    assert (there.option("header"), there.option("sep"), there.option("quote", "'")) == (
        "false",
        ";",
        "'",
    )
    assert there.writer_options == there.options
    assert there.reader_options.keys() - {"HEADER"} == {
        *("inferSchema", "mode", "enforceSchema", "columnPruning", "Sep")
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("id", "bigint")], []),
        ([("# Partitioning", ""), ("Not partitioned", "")], []),
        (
            [("# Partition Information", ""), ("# col_name", "data_type"), ("g", "string")],
            ["g"],
        ),
        (
            [("# Partitioning", ""), ("Part 0", "g"), ("Part 1", "bucket(4, id)")],
            ["g", "bucket(4, id)"],
        ),
    ],
)
def test_the_partitions_of_a_described_table(
    lines: list[tuple[str, str]], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    around = [("id", "bigint"), *lines, ("", ""), ("# Detailed Table Information", ""), ("x", "y")]
    monkeypatch.setattr(tables, "_described", lambda spark, name: around)
    session: Any = None
    assert tables.partitioning_of(session, "y") == expected
