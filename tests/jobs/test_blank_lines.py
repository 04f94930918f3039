"""Rows that would be blank lines of a CSV file, which readers skip, are refused."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import batch_score, sql_score
from tfspark.errors import BindingError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output.csv_columns import refusing_blank_lines

NULL = "INT(NULL)"


@pytest.mark.parametrize(
    ("values", "options", "is_lost"),
    [
        (NULL, {}, True),
        (NULL, {"nullValue": "NULL"}, False),
        (NULL, {"NULLVALUE": " "}, True),
        (NULL, {"quoteAll": "true"}, False),
        ("' '", {}, False),
        ("' '", {"ignoreLeadingWhiteSpace": "false"}, False),
        (
            "' '",
            {"ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"},
            True,
        ),
        ("' '", {"emptyValue": ""}, True),
        ("''", {}, False),
        ("''", {"emptyValue": ""}, True),
        (f"{NULL}, {NULL}", {}, False),
        (f"{NULL}, {NULL}", {"sep": r"\t"}, True),
        (f"1, {NULL}", {"sep": "\t"}, False),
    ],
)
def test_a_row_is_refused_if_readers_skip_its_line(
    values: str, options: dict[str, str], is_lost: bool, spark: SparkSession, tmp_path: Path
) -> None:
    rows = spark.sql(f"SELECT * FROM VALUES ({values})").coalesce(1)
    target = Dataset(str(tmp_path / "out"), format="csv", options=options)
    refused: Any = pytest.raises(BindingError, match="1 such rows") if is_lost else nullcontext()
    with refused, refusing_blank_lines(target, rows) as watched:
        watched.write.options(**target.writer_options).csv(target.path)
    there = spark.read.options(**target.writer_options).csv(target.path)
    assert there.count() == (0 if is_lost else 1)


def test_the_files_of_a_table_are_watched(
    end_of: Any, linear: Path, rows: Path, tables: str, spark: SparkSession
) -> None:
    columns = "(outputs FLOAT, id INT) USING csv PARTITIONED BY (id)"
    flags = ("--model", linear, "--input", rows, "--keep", "id", "--mode", "append")
    for name, options, code in (("y", "", 65), ("z", "OPTIONS (nullValue '-')", 0)):
        spark.sql(f"CREATE TABLE {tables}.{name} {columns} {options}")
        ended = end_of(batch_score.main, *flags, "--output-table", f"{tables}.{name}")
        assert (ended.code, "1 such rows" in ended.error) == (code, code == 65)
        assert spark.table(f"{tables}.{name}").count() == (0 if code else 5)


def test_the_result_of_a_query_is_watched(
    end_of: Any, linear: Path, spark: SparkSession, tmp_path: Path
) -> None:
    query = "SELECT IF(id = 1, NULL, id) AS a FROM range(3)"
    flags = ("--register", f"f={linear}", "--query", query, "--output", tmp_path / "out")
    ended = end_of(sql_score.main, *flags, "--output-format", "csv")
    assert (ended.code, ended.error.count("1 such rows")) == (65, 1), ended.error
    assert not (tmp_path / "out").exists()
