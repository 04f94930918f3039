"""Streams that are scored by micro-batch, with models that change."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

import tfspark
from tfspark.errors import (
    BindingError,
    EngineError,
    InvalidModelError,
    ModelNotFoundError,
    UsageError,
)
from tfspark.scoring.output.local_store import LocalStore
from tfspark.spark.cluster import distribution
from tfspark.spark.cluster.model_versions import newest_version
from tfspark.streaming import DeltaTable, Folder, model_choice
from tfspark.streaming.records import KEPT, Records, Refusal, Scored
from tfspark.streaming.score_batches import BatchScorer
from tfspark.streaming.sinks import Batch
from tfspark.testing import save_function


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of `inputs` that add 1, 2 and 3, and one with another output."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("versions")
    spec = tf.TensorSpec((None,), tf.float32, "inputs")
    for number in (1, 2, 3):
        save_function(folder / str(number), lambda inputs, n=number: {"y": inputs + n}, spec)
    save_function(folder / "other", lambda inputs: {"z": inputs}, spec)
    return folder


@pytest.fixture
def base(versions: Path, tmp_path: Path) -> Path:
    """A base path with version 1."""
    shutil.copytree(versions / "1", tmp_path / "model" / "1")
    return tmp_path / "model"


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[int], None]:
    """Add a file of one row to the input of the stream."""
    (tmp_path / "rows").mkdir()

    def add(number: int) -> None:
        table = pa.table({"inputs": pa.array([float(number)], pa.float32())})
        file = tmp_path / "rows" / f"{number}.parquet"
        pq.write_table(table, file)
        os.utime(file, (number, number))  # Spark reads files in the order of their times

    return add


@pytest.fixture
def stream(spark: SparkSession, tmp_path: Path, rows: Any) -> DataFrame:
    reader = spark.readStream.schema("inputs float").option("maxFilesPerTrigger", "1")
    return reader.parquet(str(tmp_path / "rows"))


def run(scorer: BatchScorer, stream: DataFrame) -> None:
    query = scorer.writer(stream).trigger(availableNow=True).start()
    query.awaitTermination()


def written(spark: SparkSession, folder: Path) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.read.parquet(str(folder)).collect()))


def test_new_versions_are_taken_and_broken_ones_refused(
    spark: SparkSession,
    stream: DataFrame,
    rows: Any,
    base: Path,
    versions: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A broken version 2 at batch 1, another output as version 3 at 2, a good version 4 at 3."""
    caplog.set_level(logging.INFO, "tfspark.streaming")

    def before(batch: int) -> None:
        if batch == 1:
            shutil.copytree(versions / "2", base / "2")
            (base / "2" / "saved_model.pb").write_bytes(b"broken")
        elif batch == 2:
            shutil.copytree(versions / "other", base / "3")
        elif batch == 3:
            shutil.copytree(versions / "3", base / "4")

    scorer = tfspark.score_batches(
        base, str(tmp_path / "scores"), checkpoint=tmp_path / "log", version_column="version"
    )
    for number in range(4):
        rows(number)
    writer = scorer.writer(stream)
    writer.foreachBatch(lambda frame, batch: (before(batch), scorer(frame, batch)))
    query = writer.trigger(availableNow=True).start()
    query.awaitTermination()
    found = written(spark, tmp_path / "scores")
    assert found == [(0.0, 1.0, 1), (1.0, 2.0, 1), (2.0, 3.0, 1), (3.0, 6.0, 4)]
    refused = scorer.refusals()
    assert [(one.version, one.batch) for one in refused] == [(2, 1), (3, 2)]
    assert "other columns than the running version" in refused[1].reason
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "version 2 of" in errors[0]
    assert "version 1 continues" in errors[0]
    sent = distribution._broadcasts[spark.sparkContext]
    assert [tfspark.load(base, number).digest in sent for number in (1, 4)] == [False, True]


def test_a_replayed_batch_has_its_version_and_is_written_once(
    spark: SparkSession, stream: DataFrame, rows: Any, base: Path, versions: Path, tmp_path: Path
) -> None:
    batches: list[Any] = []

    def write(frame: DataFrame, batch: int) -> None:
        batches.append((batch, [tuple(row) for row in frame.collect()]))

    place = {"checkpoint": tmp_path / "log", "fetch": {"y": "z"}, "version_column": "v"}
    folder = Folder(str(tmp_path / "scores"), options={"compression": "none"})
    rows(0)
    run(tfspark.score_batches(base, folder, **place), stream)
    shutil.copytree(versions / "2", base / "2")
    (tmp_path / "log" / "commits" / "0").unlink()  # as if killed before Spark's own commit
    (tmp_path / "log" / "commits" / ".0.crc").unlink()
    rows(1)
    run(tfspark.score_batches(base, folder, **place), stream)
    assert written(spark, tmp_path / "scores") == [(0.0, 1.0, 1), (1.0, 3.0, 2)]
    (tmp_path / "log" / "commits" / "1").unlink()
    (tmp_path / "log" / "commits" / ".1.crc").unlink()
    shutil.copytree(versions / "3", base / "3")
    run(tfspark.score_batches(base, write, **place), stream)
    assert batches == [(1, [(1.0, 3.0, 2)])]

    (tmp_path / "log" / "commits" / "1").unlink()
    (tmp_path / "log" / "commits" / ".1.crc").unlink()
    shutil.rmtree(base / "2")
    with pytest.raises(Exception, match=r"no version 2 of the model"):
        run(tfspark.score_batches(base, write, **place), stream)


def test_after_a_restart_the_running_version_continues_or_the_newest_is_an_error(
    stream: DataFrame, rows: Any, base: Path, tmp_path: Path
) -> None:
    versions_of: list[int] = []

    def write(frame: DataFrame, batch: int) -> None:
        versions_of.append(frame.first()["v"])

    def start(checkpoint: str) -> None:
        place = tmp_path / checkpoint
        run(tfspark.score_batches(base, write, checkpoint=place, version_column="v"), stream)

    rows(0)
    start("log")
    shutil.copytree(base / "1", base / "2")
    (base / "2" / "saved_model.pb").unlink()
    rows(1)
    start("log")
    assert versions_of == [1, 1]
    with pytest.raises((InvalidModelError, ModelNotFoundError)):
        start("another log")


def test_wrong_arguments_are_refused_before_a_task(
    spark: SparkSession, stream: DataFrame, points: DataFrame, base: Path, tmp_path: Path
) -> None:
    place = {"checkpoint": tmp_path / "log"}
    with pytest.raises(UsageError, match="needs a checkpoint"):
        tfspark.score_batches(base, "scores")
    with pytest.raises(ModelNotFoundError, match="no version of a model"):
        tfspark.score_batches(base / "1", "scores", **place)
    with pytest.raises(ModelNotFoundError, match="no version of a model"):
        tfspark.score_batches(tmp_path / "nothing", "scores", **place)
    with pytest.raises(UsageError, match="uses the newest version"):
        tfspark.score_batches(base, "scores", version=1, **place)
    with pytest.raises(UsageError, match="cannot time the engines"):
        tfspark.score_batches(base, "scores", engine="fastest", **place)
    with pytest.raises(UsageError, match="version_column"):
        tfspark.score_batches(base, "scores", version_column="", **place)
    with pytest.raises(UsageError, match="argument write"):
        tfspark.score_batches(base, 3, **place)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Delta Lake is not installed"):
        tfspark.score_batches(base, DeltaTable("scores"), **place)
    with pytest.raises(UsageError, match=r"no format 'parket'\. Did you mean 'parquet'"):
        tfspark.score_batches(base, Folder("scores", format="parket"), **place)
    with pytest.raises(UsageError, match="either a name or a path"):
        DeltaTable()
    with pytest.raises(UsageError, match="partition_by has an invalid value"):
        Folder("scores", partition_by="city")
    with pytest.raises(UsageError, match="partition_by has an invalid value"):
        DeltaTable("scores", partition_by="city")
    with pytest.raises(UsageError, match="path of a target"):
        Folder(3)  # type: ignore[arg-type]
    scorer = tfspark.score_batches(base, str(tmp_path / "scores"), **place)
    with pytest.raises(UsageError, match=r"tfspark\.predict"):
        scorer.writer(points)
    with pytest.raises(UsageError, match="instead of a micro-batch"):
        scorer(stream, 0)
    with pytest.raises(UsageError, match="not the checkpoint of the stream"):
        scorer(points, 0)
    with pytest.raises(BindingError, match="'x'"):
        tfspark.score_batches(base, "scores", feed={"inputs": "x"}, **place).writer(stream)
    with pytest.raises(BindingError, match="already"):
        tfspark.score_batches(base, "scores", version_column="Y", **place).writer(stream)


@pytest.mark.parametrize("kind", [Path, Folder, lambda path: Folder(str(path))])
def test_a_target_may_be_a_path_object(
    spark: SparkSession, stream: DataFrame, rows: Any, base: Path, tmp_path: Path, kind: Any
) -> None:
    rows(1)
    run(tfspark.score_batches(base, kind(tmp_path / "out"), checkpoint=tmp_path / "log"), stream)
    assert written(spark, tmp_path / "out") == [(1.0, 2.0)]


def test_a_stream_starts_again_beside_a_version_that_does_not_fit(
    spark: SparkSession, stream: DataFrame, rows: Any, versions: Path, base: Path, tmp_path: Path
) -> None:
    def start() -> BatchScorer:
        place = {"checkpoint": tmp_path / "log", "fetch": {"y": "p"}}
        scorer = tfspark.score_batches(base, tmp_path / "out", **place)
        run(scorer, stream)
        return scorer

    rows(0)
    start()
    shutil.copytree(versions / "other", base / "2")
    rows(1)
    assert [refusal.version for refusal in start().refusals()] == [2]
    assert written(spark, tmp_path / "out") == [(0.0, 1.0), (1.0, 2.0)]


def test_a_stream_starts_again_after_its_last_version_was_replaced(
    spark: SparkSession, stream: DataFrame, rows: Any, versions: Path, base: Path, tmp_path: Path
) -> None:
    rows(0)
    run(tfspark.score_batches(base, tmp_path / "out", checkpoint=tmp_path / "log"), stream)
    shutil.copytree(base / "1", base / "2")
    shutil.rmtree(base / "1")
    rows(1)
    run(tfspark.score_batches(base, tmp_path / "out", checkpoint=tmp_path / "log"), stream)
    assert written(spark, tmp_path / "out") == [(0.0, 1.0), (1.0, 2.0)]


def test_a_stream_starts_again_beside_a_version_with_other_columns(
    spark: SparkSession, stream: DataFrame, rows: Any, versions: Path, base: Path, tmp_path: Path
) -> None:
    def start() -> BatchScorer:
        scorer = tfspark.score_batches(base, tmp_path / "out", checkpoint=tmp_path / "log")
        run(scorer, stream)
        return scorer

    rows(0)
    start()
    shutil.copytree(versions / "other", base / "2")
    for number in (1, 2):
        rows(number)
        assert [refusal.version for refusal in start().refusals()] == [2]
    assert written(spark, tmp_path / "out") == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]


def test_a_stream_starts_again_after_its_last_version_was_changed(
    spark: SparkSession, stream: DataFrame, rows: Any, versions: Path, base: Path, tmp_path: Path
) -> None:
    rows(0)
    run(tfspark.score_batches(base, tmp_path / "out", checkpoint=tmp_path / "log"), stream)
    shutil.rmtree(base / "1")
    shutil.copytree(versions / "3", base / "1")
    shutil.copytree(versions / "2", base / "2")
    rows(1)
    run(tfspark.score_batches(base, tmp_path / "out", checkpoint=tmp_path / "log"), stream)
    assert written(spark, tmp_path / "out") == [(0.0, 1.0), (1.0, 3.0)]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("open_models", EngineError("the worker was lost")),
        ("state_of_version", ModelNotFoundError("removed")),
    ],
)
def test_a_version_that_fails_for_another_reason_is_tried_again(
    step: str,
    error: Exception,
    stream: DataFrame,
    rows: Any,
    base: Path,
    versions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[float] = []
    real, errors = getattr(model_choice, step), [error]

    def fail_once(*args: Any) -> Any:
        if errors and (base / "2").exists():
            raise errors.pop()
        return real(*args)

    def write(frame: DataFrame, batch: int) -> None:
        found.append(frame.first()["y"])
        if batch == 0:
            shutil.copytree(versions / "2", base / "2")

    monkeypatch.setattr(model_choice, step, fail_once)
    for number in range(3):
        rows(number)
    run(tfspark.score_batches(base, write, checkpoint=tmp_path / "log"), stream)
    assert found == [1.0, 2.0, 4.0]


def test_a_base_path_that_cannot_be_listed_is_named(
    spark: SparkSession, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(ModelNotFoundError, match=r"cannot be read(.|\n)*Permission denied"):
        newest_version(spark, str(base))


@pytest.mark.parametrize("below", ["", "scores"])
def test_a_stream_does_not_read_its_own_rows(
    stream: DataFrame, base: Path, tmp_path: Path, below: str
) -> None:
    target = tmp_path / "rows" / below
    scorer = tfspark.score_batches(base, target, checkpoint=tmp_path / "log")
    with pytest.raises(UsageError, match="would read the rows that it writes"):
        scorer.writer(stream)


def test_a_base_path_that_is_away_for_a_moment_does_not_end_a_stream(
    spark: SparkSession, stream: DataFrame, rows: Any, base: Path, tmp_path: Path
) -> None:
    def write(frame: DataFrame, batch: int) -> None:
        found.append(frame.first()["y"])
        if batch == 0:
            base.rename(tmp_path / "away")

    found: list[float] = []
    rows(0)
    rows(1)
    run(tfspark.score_batches(base, write, checkpoint=tmp_path / "log"), stream)
    assert found == [1.0, 2.0]


@pytest.mark.parametrize(
    ("target", "message"),
    [({"partition_by": ["city"]}, "city"), ({"format": "csv"}, "csv")],
)
def test_columns_of_the_target_are_checked_before_the_stream_starts(
    stream: DataFrame, base: Path, tmp_path: Path, target: dict[str, Any], message: str
) -> None:
    folder = Folder(tmp_path / "out", **target)  # type: ignore[arg-type]
    scorer = tfspark.score_batches(base, folder, checkpoint=tmp_path / "log")
    nested = stream.selectExpr("inputs", "array(inputs) AS nested")
    with pytest.raises(BindingError, match=message):
        scorer.writer(nested)


def test_records_are_created_once_and_deleted_when_old(tmp_path: Path) -> None:
    records = Records(LocalStore(), str(tmp_path / "tfspark"))
    assert (records.of(7), records.last(), records.refusals()) == (None, None, [])
    one, other = Scored(1, "a"), Scored(2, "b")
    assert (records.add(7, one), records.add(7, other)) == (one, one)
    assert records.add(10, other) == records.last() == other
    records.forget(10)
    assert records.last() == one
    first = Refusal(3, 7, "broken")
    assert records.refuse(first)
    assert not records.refuse(Refusal(3, 8, "broken"))
    assert records.refuse(Refusal(3, 8, "unfitting"))
    assert [refusal.batch for refusal in records.refusals()] == [7, 8]
    assert json.loads((tmp_path / "tfspark" / "batch-7").read_text()) == {
        "version": 1,
        "digest": "a",
    }


def test_old_records_of_a_folder_are_deleted(
    spark: SparkSession, points: DataFrame, tmp_path: Path
) -> None:
    folder = Folder(str(tmp_path / "scores"))
    hidden = tmp_path / ".scores.tfspark"
    for number in (0, 0, KEPT):
        folder.write(points, Batch("query", number))
    assert len(list(hidden.glob("done-*"))) == 1
    assert len(written(spark, tmp_path / "scores")) == 6


def test_a_delta_table_gets_each_batch_as_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfspark.streaming import sinks

    calls: list[tuple[Any, ...]] = []
    monkeypatch.setattr(sinks, "create_table", lambda *given: calls.append(given))
    monkeypatch.setattr(sinks, "append_once", lambda *given: calls.append(given))
    table = DeltaTable(path="scores", partition_by=["day"])
    for number in (0, 1):
        table.write("rows", Batch("query", number))  # type: ignore[arg-type]
    assert calls == [
        ("rows", "scores", "", ["day"]),
        ("rows", "scores", "", "tfspark-query", 0),
        ("rows", "scores", "", "tfspark-query", 1),
    ]
