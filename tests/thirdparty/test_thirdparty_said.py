"""Warnings beside the rows: which numbers are rounded, and which models need care."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import tfspark
from jobs import batch_score
from tests.thirdparty import batches, modern, old_forms, scalars
from tests.thirdparty.case import Case, rows

CARE = {
    scalars.scalar: "runs once for each row",
    batches.neighbours: "exactly 2 rows",
    scalars.pair: "",
    modern.longest_text: "depends on its neighbours; batch_size=1",
}
Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    """Return the warnings of tfspark so far."""
    caplog.set_level(logging.INFO, "tfspark")

    def warnings() -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith("tfspark") and record.levelno >= logging.WARNING
        ]

    return warnings


@pytest.fixture
def path_of(model: Any) -> Callable[..., str]:
    return lambda save: str(model(Case(save, rows())))


@pytest.mark.parametrize("save", CARE, ids=lambda save: save.__name__)
@pytest.mark.parametrize("api", ["predict", "predict_udf", "register", "predict_rdd"])
def test_model_that_needs_care_is_warned_of_once(
    api: str, save: Any, spark: SparkSession, path_of: Any, said: Said
) -> None:
    path = path_of(save)
    if api == "predict":
        inputs = tfspark.load(path).signature.inputs
        row = {spec.name: "a" if spec.dtype == "string" else 1.0 for spec in inputs}
        tfspark.predict(spark.createDataFrame([row]), path)
    elif api == "predict_rdd":
        tfspark.predict_rdd(spark.sparkContext.parallelize([1.0]), path)
    elif api == "register":
        tfspark.register(spark, "careful", path)
    else:
        tfspark.predict_udf(path, spark=spark)
    assert len(said()) == bool(CARE[save])
    assert CARE[save] in "".join(said())


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Doubles and integers; one integer has more digits than a float."""
    path = tmp_path / "points.csv"
    path.write_text("height,weight,name\n1.5,2,a\n0.0,16777217,b\n")
    return path


@pytest.fixture
def job(
    spark: SparkSession,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Iterator[Callable[..., str]]:
    """Run the batch job, which must succeed, and return its output."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    monkeypatch.chdir(tmp_path)

    def run(*flags: object) -> str:
        assert batch_score.main([str(flag) for flag in flags]) == 0, capfd.readouterr().err
        return capfd.readouterr().out

    yield run
    spark.sparkContext.setLogLevel("OFF")  # a job sets its own


def test_numbers_of_text_feed_floats_and_are_said_to_be_rounded(
    job: Any, csv: Path, path_of: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tfspark")
    model = path_of(old_forms.reference_variables)
    flags = ("--model", model, "--input", csv, "--input-format", "csv")
    flags = (*flags, "--feed", "x=height,weight", "--output", tmp_path / "out")
    plan = job(*flags, "--dry-run")
    rounded = ["column 'height' double → float32", "column 'weight' int → float32"]
    assert [line for line in plan.splitlines() if "rounded" in line] == [
        f"rounded {sentence}" for sentence in rounded
    ]
    caplog.clear()
    report = json.loads(Path(job(*flags).splitlines()[-1]).read_text())
    assert report["rounded"] == rounded
    logged = [record.getMessage() for record in caplog.records if "rounded" in record.getMessage()]
    assert len(logged) == 1
    assert all(sentence in logged[0] for sentence in rounded)
    scored = pq.read_table(tmp_path / "out").sort_by("name")
    assert scored["y"].to_pylist() == [4.0, -16777213.0]
