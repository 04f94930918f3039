"""Jobs whose input is scored in groups of files: the rows do not depend on the groups."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs import batch_score
from tests.faults.stopping_store import Stopped
from tfspark.data_files.footers import Footer, Group
from tfspark.data_files.listing import DataFile
from tfspark.data_files.splits import cut, plan_splits
from tfspark.scoring.output.finished_groups import name_in_group
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.owner import Owner
from tfspark.spark.cluster.reading import rows_of_files

SPARK = ("--path", "spark", "--chunks", 2)
DIRECT = ("--path", "direct", "--chunks", 2)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each run belong to a process that has ended before the next run."""
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)


@pytest.fixture
def days(tmp_path: Path) -> Path:
    """A folder of CSV files by day: whole numbers in one, fractions in another, text in one."""
    folder = tmp_path / "days"
    for day, lines in {1: "1,2,7", 2: "0.5,1,8", 3: "3,4,x\n,1,9"}.items():
        (folder / f"day={day}").mkdir(parents=True)
        (folder / f"day={day}" / "rows.csv").write_text(f"x0,x1,name\n{lines}\n")
    return folder


def columns_and_rows(spark: SparkSession, folder: Path) -> tuple[Any, list[Any]]:
    read = spark.read.parquet(str(folder))
    return read.schema, sorted(read.collect(), key=repr)


@pytest.mark.parametrize("chunks", [2, 3, 9])
def test_rows_and_types_do_not_depend_on_the_groups(
    chunks: int, spark: SparkSession, score: Any, days: Path, tmp_path: Path
) -> None:
    flags = ("--input", days, "--input-format", "csv", "--feed", "inputs=x0,x1")
    reports = [
        score(*flags, "--partition-by", "day", "--output", tmp_path / name, "--chunks", count)
        for name, count in (("whole", 1), ("groups", chunks))
    ]
    whole, groups = (columns_and_rows(spark, tmp_path / name) for name in ("whole", "groups"))
    assert whole == groups
    counted = [[one.report[name] for name in COUNTS] for one in reports]
    assert counted == [[4, 4, 1, 0, 4]] * 2


COUNTS = ("rows_in", "rows_out", "null_rows", "kept_rows", "scored_rows")


def stop(*_: object) -> None:
    raise Stopped


def test_finished_groups_are_not_scored_again(
    score: Any, rows: Path, dead: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--input", rows, "--output", tmp_path / "out", *SPARK)
    with monkeypatch.context() as patch:
        patch.setattr(PathOutput, "take_groups", stop)
        with pytest.raises(Stopped):
            score(*flags)
    monkeypatch.setattr(PathOutput, "write_group", stop)
    ended = score(*flags)
    assert [ended.report[name] for name in COUNTS] == [5, 5, 1, 5, 0]
    assert "5 scored by an earlier run" in ended.stdout
    assert sorted(pq.read_table(tmp_path / "out")["id"].to_pylist()) == [0, 1, 2, 3, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rows"]


def test_a_group_that_was_not_finished_is_scored_again(
    score: Any, rows: Path, dead: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--input", rows, "--output", tmp_path / "out", *SPARK)
    write_group = PathOutput.write_group

    def write_first(output: PathOutput, df: Any, name: str) -> list[str]:
        written = write_group(output, df, name)
        return written if name.startswith("00000-") else stop()  # type: ignore[return-value]

    with monkeypatch.context() as patch:
        patch.setattr(PathOutput, "write_group", write_first)
        with pytest.raises(Stopped):
            score(*flags)
    ended = score(*flags)
    assert [ended.report[name] for name in COUNTS] == [5, 5, 1, 2, 3]
    assert sorted(pq.read_table(tmp_path / "out")["id"].to_pylist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("what", ["input", "model", "setting"])
@pytest.mark.parametrize("path", [SPARK, DIRECT], ids=["spark", "direct"])
def test_another_input_model_or_setting_starts_from_scratch(
    path: tuple[str, ...],
    what: str,
    end_of: Any,
    rows: Path,
    table: pa.Table,
    linear: Path,
    dead: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model, flags = linear, ["--input", rows, "--output", tmp_path / "out", *path]
    with monkeypatch.context() as patch:
        patch.setattr(PathOutput, "take" if path is DIRECT else "take_groups", stop)
        with pytest.raises(Stopped):
            end_of(batch_score.main, "--model", model, *flags)
    if what == "input":
        pq.write_table(table.slice(2), rows / "part-2.parquet")
    if what == "model":
        model = tmp_path / "model"
        shutil.copytree(linear / "1", model)
        (model / "assets.extra").mkdir()
        (model / "assets.extra" / "note").write_text("another model")
    if what == "setting":
        flags += ["--batch-size", "1"]
    with caplog.at_level(logging.INFO, "tfspark"):
        ended = end_of(batch_score.main, "--model", model, *flags)
    assert ended.report["kept_rows"] == 0
    assert "starts from scratch" in caplog.text


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        (("--output-table", "t"), "an output table keeps no finished groups"),
        (("--output", "out", "--bad-rows", "bad"), "a job with bad rows keeps no finished groups"),
    ],
)
def test_a_job_that_keeps_nothing_is_refused(
    flags: tuple[str, ...], found: str, end_of: Any, linear: Path, rows: Path
) -> None:
    ended = end_of(batch_score.main, "--model", linear, "--input", rows, "--chunks", 2, *flags)
    assert ended.code == 2
    assert f"found:    {found}" in ended.error
    assert "leave out --chunks" in ended.error


def test_a_view_has_no_groups_of_files(end_of: Any, linear: Path, view: str) -> None:
    flags = ("--model", linear, "--input-table", view, "--output", "out", "--chunks", 2)
    ended = end_of(batch_score.main, *flags)
    assert ended.code == 2
    assert "an input table or view has no groups of files" in ended.error


def test_spark_reads_only_the_files_of_a_group(spark: SparkSession, rows: Path) -> None:
    df = spark.read.parquet(str(rows))
    first, second = sorted(df.inputFiles())
    Path(second.removeprefix("file:")).unlink()
    assert rows_of_files(df, [first]).count() == 2
    assert rows_of_files(df, [second], others=True).count() == 2


def test_a_slot_runs_as_many_tasks_as_there_are_chunks() -> None:
    file = DataFile("a", 800)
    footer = Footer(file, pa.schema([]), (Group(bytes=100, rows=1),) * 8)
    pieces = cut([file], [footer], "parquet")
    assert [len(plan_splits(pieces, 2, chunks)) for chunks in (1, 2, 3, 9)] == [2, 4, 6, 8]


def test_files_of_a_group_are_named_by_it() -> None:
    named = name_in_group("day=1/part-00003-uuid.c000.parquet", "00001-digest")
    assert named == "day=1/part-00001-digest-00003-uuid.c000.parquet"
    assert name_in_group("part-0.csv", "00001-digest") == "part-00001-digest-0.csv"
