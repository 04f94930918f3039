"""A query that appends the rows that its target does not have yet, at a bad moment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.faults.stopping_store import Stopped, StoppingStore
from tfspark.errors import OutputBusyError
from tfspark.scoring import query
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output import folder
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.folder import PathOutput
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.query import QueryJob, run_query


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QueryJob:
    """The source has the ids 0 to 5 in two files, and the target has 0 and 1."""
    monkeypatch.setattr(query, "open_models", lambda *_: {})  # the query calls none
    source, out = tmp_path / "rows", tmp_path / "out"
    for place, ids in ((source, [0, 2, 4]), (source, [1, 3, 5]), (out, [0, 1])):
        place.mkdir(exist_ok=True)
        pq.write_table(pa.table({"id": ids}), place / f"{ids[-1]}.parquet")
    text = f"SELECT * FROM parquet.`{source}` a LEFT ANTI JOIN parquet.`{out}` b ON a.id = b.id"
    return QueryJob({}, text, Dataset(str(out)), "append")


def ids(job: QueryJob) -> list[int]:
    assert job.target is not None
    return sorted(pq.read_table(job.target.path)["id"].to_pylist())


def test_killed_between_two_files_and_run_again(
    job: QueryJob, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    # Two files: each task writes one.
    monkeypatch.setattr("tfspark.scoring.output.folder.PathOutput.stage", two_files)
    store = StoppingStore()
    rename = store.rename

    def once(source: str, target: str) -> None:
        if "/out/" in target and ids(job) != [0, 1]:
            raise Stopped
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(store, "rename", once)
        patch.setattr(folder, "store_of", lambda _, path: (store, path.removeprefix("file:")))
        patch.setattr(Commit, "suspend", lambda commit: commit.lock.silence())  # as a kill does
        with pytest.raises(Stopped):
            run_query(spark, job)
    assert 2 < len(ids(job)) < 6
    run_query(spark, job)
    assert ids(job) == [0, 1, 2, 3, 4, 5]


REAL = PathOutput.stage


def two_files(output: PathOutput, df: Any) -> None:
    REAL(output, df.repartition(2))


def test_rows_that_another_job_published_after_the_plan_are_not_appended_again(
    job: QueryJob, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = PathOutput.begin

    def late(output: PathOutput, key: Any) -> Any:
        monkeypatch.setattr(PathOutput, "begin", begin)
        run_query(spark, job)
        return begin(output, key)

    monkeypatch.setattr(PathOutput, "begin", late)
    with pytest.raises(OutputBusyError, match="have changed"):
        run_query(spark, job)
    assert ids(job) == [0, 1, 2, 3, 4, 5]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "rows"]


def test_a_query_that_reads_its_target_is_the_same_job_after_its_rows_are_visible(
    job: QueryJob, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    # The query does not leave out the rows that the target has.
    text = (
        f"SELECT a.* FROM parquet.`{tmp_path}/rows` a LEFT JOIN parquet.`{tmp_path}/out` USING (id)"
    )
    job = replace(job, text=text)
    with monkeypatch.context() as patch:
        patch.setattr(PathOutput, "acknowledge", stop)
        with pytest.raises(Stopped):
            run_query(spark, job)
    run_query(spark, job)
    assert ids(job) == [0, 0, 1, 1, 2, 3, 4, 5]
    run_query(spark, job)  # a new job, because the last one has reported
    assert len(ids(job)) > 8


def stop(*_: object) -> None:
    raise Stopped
