"""The statistics, the drift and the page of a job's report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.batch_score import main
from tfspark.errors import InputNotFoundError, UsageError
from tfspark.scoring.model_card import card_of
from tfspark.scoring.row_facts import read_baseline
from tfspark.sketches import RowSketch
from tfspark.spark.cluster.task_sketches import Gathered, OncePerTask, TaskSketches

FLOATS = pa.list_(pa.float32())


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    """Two files; in each, one row is bad, one is null, and one has NaN."""
    folder = tmp_path / "in"
    folder.mkdir()
    features = [[1.0, 2.0], [3.0, 5.0], None, [1.0], [float("nan"), 0.0]]
    for part in range(2):
        names = [f"<b>{part}{at}" for at in range(5)]
        table = pa.table({"name": names, "features": pa.array(features, FLOATS)})
        pq.write_table(table, folder / f"{part}.parquet")
    return folder


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_the_statistics_of_a_job(path: str, score: Any, customers: Path, tmp_path: Path) -> None:
    ended = score(
        *("--input", customers, "--output", tmp_path / "out", "--path", path),
        *("--bad-rows", tmp_path / "bad", "--keep", "name"),
    )
    statistics = ended.report["statistics"]
    assert statistics["rows"] == ended.report["rows_out"] == 8
    assert statistics["reasons"] == {"WRONG_SHAPE": ended.report["bad_rows"]}
    outputs = statistics["outputs"]["outputs"]
    assert (outputs["rows"], outputs["nulls"], outputs["nan"], outputs["values"]) == (8, 2, 2, 6)
    assert (outputs["min"], outputs["max"], outputs["mean"]) == (3.0, 4.0, 3.5)
    features = statistics["inputs"]["features"]
    assert (features["rows"], features["nulls"], features["lengths"]) == (10, 2, [1, 2])
    assert statistics["sample"]["columns"] == ["name", "outputs"]
    # Spark may read the files in another order.
    first = {tuple(row) for row in statistics["sample"]["rows"]}
    assert len(first) == 5
    assert first <= {(f"<b>{part}{at}", f"{value}") for part in (0, 1) for at, value in _SCORED}
    page = Path(ended.stdout.splitlines()[-1]).with_suffix(".html").read_text("utf-8")
    assert "8 rows scored, 2 rejected, 2 null" in page
    assert "&lt;b&gt;0" in page


_SCORED = [(0, "3.0"), (1, "4.0"), (2, "null"), (4, "nan")]


def test_groups_of_files_and_a_baseline(
    score: Any, rows: Path, tmp_path: Path, spark: SparkSession
) -> None:
    first = score(
        *("--input", rows, "--output", tmp_path / "a", "--report", tmp_path / "a.json"),
        *("--path", "spark", "--chunks", "2"),
    )
    assert first.report["statistics"]["rows"] == 5
    second = score(
        *("--input", rows, "--output", tmp_path / "b", "--report", tmp_path / "b.json"),
        *("--baseline", tmp_path / "a.json", "--sample-rows", "0"),
    )
    report = second.report
    assert report["drift"]["baseline"]["run"] == first.report["run"]
    expected = {"psi": 0.0, "ks": 0.0, "is_certain": False}
    assert report["drift"]["outputs"]["outputs"] == expected
    assert report["statistics"]["sample"] == {"columns": [], "rows": []}
    assert "too few values" in (tmp_path / "b.html").read_text("utf-8")


def test_a_finished_run_keeps_its_statistics(score: Any, rows: Path, tmp_path: Path) -> None:
    flags = ("--input", rows, "--output", tmp_path / "out", "--run-id", "one")
    report = score(*flags).report
    assert report["statistics"]["rows"] == 5
    ended = score(*flags)
    assert "already done" in ended.stdout
    assert ended.report == report


@pytest.mark.parametrize("path", ["direct", "spark"])
def test_without_statistics(path: str, score: Any, rows: Path, tmp_path: Path) -> None:
    ended = score("--input", rows, "--output", tmp_path / "out", "--no-stats", "--path", path)
    assert ended.report["statistics"] == {}
    assert ended.report["engine"]["engine"] == "native"
    assert "Predictions" not in next((tmp_path / "out").glob("*.html")).read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, InputNotFoundError),
        ("{", UsageError),
        ("[]", UsageError),
        ('{"run": "r"}', UsageError),
        ('{"statistics": {"outputs": {"y": {}}}}', UsageError),
    ],
)
def test_a_baseline_must_be_a_report(
    text: str | None, error: type[Exception], tmp_path: Path, spark: SparkSession
) -> None:
    place = tmp_path / "report.json"
    if text is not None:
        place.write_text(text)
    with pytest.raises(error, match=r"report\.json"):
        read_baseline(spark, str(place))


def test_contradicting_flags(end_of: Any, linear: Path) -> None:
    ended = end_of(
        *(main, "--model", linear, "--input", "in", "--output", "out"),
        *("--no-stats", "--baseline", "a.json"),
    )
    assert (ended.code, ended.spark_jobs) == (2, 0)
    assert "--baseline has no effect with --no-stats" in ended.error


def test_a_task_that_runs_twice_counts_once() -> None:
    adds, value = OncePerTask(), Gathered()
    for task in (0, 1, 1, 0):
        value = adds.addInPlace(value, Gathered({task}, RowSketch(rows=10)))
    assert (value.tasks, value.total.rows) == ({0, 1}, 20)


def test_an_accumulator_of_a_repeated_action_counts_once(spark: SparkSession) -> None:
    gathered = spark.sparkContext.accumulator(Gathered(), OncePerTask())

    def count(number: int, rows: Any) -> Any:
        gathered.add(Gathered({number}, RowSketch(rows=len(list(rows)))))
        return []

    rows = spark.sparkContext.parallelize(range(7), 2).mapPartitionsWithIndex(count)
    assert rows.collect() == rows.collect() == []
    assert gathered.value.total.rows == 7


def test_the_card_of_a_model(tmp_path: Path) -> None:
    export, training = tmp_path / "churn" / "3", tmp_path / "churn" / "training" / "3"
    export.mkdir(parents=True)
    assert card_of(str(export)) == ""
    training.mkdir(parents=True)
    (training / "README.md").write_text("of the training")
    assert card_of(str(export)) == "of the training"
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (export / "README.md").symlink_to(secret)
    assert card_of(str(export)) == "of the training"
    (export / "README.md").unlink()
    (export / "README.md").write_text(json.dumps("of the export"))
    assert card_of(str(export)) == '"of the export"'


def test_a_card_that_cannot_be_read_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> bool:
        raise PermissionError("no right to read the folder")

    monkeypatch.setattr(Path, "is_file", refused)
    assert card_of(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("keep", "shown"),
    [
        (None, ["Name", "x"]),
        (["name"], ["Name"]),
        (["`x`", "NAME"], ["Name", "x"]),
        (["nothing"], []),
    ],
)
def test_names_of_the_sample_resolve_as_in_spark(
    keep: list[str] | None, shown: list[str], spark: SparkSession
) -> None:
    sketches = TaskSketches(spark, 5, keep, ("_input_file",), "_reason")
    assert sketches.shown(["Name", "x", "_input_file"]) == shown
