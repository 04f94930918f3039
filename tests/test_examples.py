"""The examples for clusters: every command line is one that our parsers accept."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests import examples
from tfspark import __version__
from tfspark.cli import batch_score, score
from tools import markdown_links

SCORE_TABLE = examples.EXAMPLES / "databricks" / "score.py"
# Of a wheel, and of an image.
VERSION = re.compile(r"\btfspark[-:](\d+\.\d+[\w.]*?)(?=-py3|[\s\"]|$)")
# A file with one of these starts a job.
STARTS = ("--model", "--config ")


def parser_of(name: str) -> Callable[[list[str]], Any]:
    """Return the parser of the program that a file starts."""
    if name.startswith("databricks/"):
        return runpy.run_path(str(SCORE_TABLE))["new_parser"]().parse_args
    return (score if name.startswith("standalone/") else batch_score).new_parser().parse_args


@pytest.mark.parametrize(
    ("name", "words"), [pytest.param(*one, id=one[0]) for one in examples.job_arguments()]
)
def test_the_arguments_of_an_example_are_those_of_the_program(
    name: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(examples.ROOT)  # for the path of a configuration file
    args = parser_of(name)(words)
    assert args.model
    assert args.output_table if name.startswith("databricks/") else args.output


def test_a_flag_that_does_not_exist_fails() -> None:
    with pytest.raises(SystemExit):
        parser_of("yarn/score.sh")(["--model", "m", "--input", "i", "--output", "o", "--outputs"])


def test_no_example_is_left_out() -> None:
    files = [path for path in examples.files("") if path.is_file() and path != SCORE_TABLE]
    starting = {
        path.relative_to(examples.EXAMPLES).as_posix()
        for path in files
        if any(word in path.read_text("utf-8") for word in STARTS)
    }
    assert {name for name, _ in examples.job_arguments()} == starting
    assert len(starting) > 8


def test_the_index_lists_every_platform() -> None:
    index = examples.EXAMPLES / "README.md"
    linked = {link.target.parent for link in markdown_links.links(index)}
    folders = {path for path in examples.EXAMPLES.iterdir() if path.is_dir()}
    assert folders - linked == set()


def test_the_examples_name_the_version_of_this_checkout() -> None:
    texts = [path.read_text("utf-8") for path in examples.files("") if path.is_file()]
    found = {number for text in texts for number in VERSION.findall(text)}
    assert found == {__version__}


def test_the_program_for_databricks_scores_a_table(
    spark: SparkSession, points: DataFrame, linear: Path
) -> None:
    points.createOrReplaceTempView("listed")
    main = runpy.run_path(str(SCORE_TABLE))["main"]
    try:
        for _ in range(2):  # the second run replaces the rows of the first one
            main(["--model", str(linear), "--input-table", "listed", "--output-table", "priced"])
        rows = spark.table("priced").select("outputs").collect()
    finally:
        spark.sql("DROP TABLE IF EXISTS priced")
        spark.catalog.dropTempView("listed")
    assert sorted(row.outputs for row in rows) == [3.0, 4.0, 9.0]
