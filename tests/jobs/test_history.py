"""Marks of commits in the history of a table, and notes of jobs in its properties."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tfspark.errors import OutputBusyError, OutputExistsError, UsageError
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.output import catalog, history
from tfspark.scoring.output.catalog import CatalogOutput
from tfspark.scoring.output.history import DeltaHistory, IcebergHistory, history_of
from tfspark.scoring.output.in_flight import InFlight
from tfspark.scoring.output.journal import JobKey, Mode
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.partitions import is_in_place
from tfspark.scoring.output.protocol import cleanup_on_failure
from tfspark.scoring.output.table_name import TableName
from tfspark.spark.cluster.sources import Source

NAME = TableName("lake", ("db",), "y")


class Stopped(BaseException):
    """The end of a job that was killed."""


@dataclass
class Lake:
    """A catalog in memory with one table and its history; each write adds one row."""

    is_there: bool = True
    is_dead: bool = True
    rows: list[str] = field(default_factory=list)
    commits: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    late: list[Any] = field(default_factory=list)
    error: BaseException | None = None

    def mark(self, token: str, report: Any) -> dict[str, Any]:
        return {"token": token, "report": report}

    def settings(self, token: str, report: Any) -> dict[str, str]:
        return {}

    def marks(self) -> dict[str, Any]:
        return self.commits

    def append(self, rows: Any, name: str, mark: dict[str, Any]) -> None:
        if self.error is not None:
            self.late.append((rows, name, mark))
            raise self.error
        self.commits[mark["token"]] = mark["report"]
        self.rows.append(mark["report"]["run"])

    def replace(self, rows: Any, name: str, mark: dict[str, Any]) -> None:
        self.rows.clear()
        self.append(rows, name, mark)

    def create(self, rows: Any, name: str, kind: str, mark: Any, by: Any, properties: Any) -> None:
        self.is_there = True
        self.properties.update(properties)
        self.append(rows, name, mark)

    def run(
        self, mode: Mode, run: str, run_id: str = "", stop: str = "", key: JobKey | None = None
    ) -> str:
        """Run a job, or stop it before an operation; return how it ended."""
        exists = SimpleNamespace(tableExists=lambda name: self.is_there)
        session: Any = SimpleNamespace(catalog=exists)
        output = CatalogOutput(session, Dataset(table="lake.db.y"), NAME, mode, run)
        output.check()
        done = output.begin(key or JobKey("digest", run_id))
        if stop == "publish":
            raise Stopped
        if done is None:
            rows: Any = SimpleNamespace(unpersist=lambda: None)
            output.held.rows = rows
            output.publish({"run": run})
        if stop == "acknowledge":
            raise Stopped
        if stop == "interrupt":
            output.suspend()
            return "interrupted"
        output.acknowledge()
        return "done" if done is None else f"already done by {done.report['run']}"


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake()
    monkeypatch.setattr(CatalogOutput, "_history", property(lambda output: made))
    for name, act in {
        "create": made.create,
        "append_rows": made.append,
        "replace_rows": made.replace,
        "properties_of": lambda spark, table: made.properties,
        "set_property": lambda spark, table, key, value: made.properties.update({key: value}),
        "unset_property": lambda spark, table, key: made.properties.pop(key, None),
        "check_schema": lambda spark, table: None,
    }.items():
        monkeypatch.setattr(catalog, name, act)
    monkeypatch.setattr(Owner, "has_ended", lambda owner: made.is_dead)
    return made


@pytest.mark.parametrize("stop", ["publish", "acknowledge"])
@pytest.mark.parametrize(
    ("mode", "is_there", "run_id"),
    [
        ("append", True, ""),
        ("append", True, "mine"),
        ("append", False, ""),
        ("error", False, ""),
        ("error", False, "mine"),
        ("overwrite", True, ""),
    ],
)
def test_a_killed_job_adds_its_rows_once(
    stop: str, mode: Mode, is_there: bool, run_id: str, lake: Lake
) -> None:
    lake.is_there = is_there
    with pytest.raises(Stopped):
        lake.run(mode, "A1", run_id, stop)
    ended = lake.run(mode, "A2", run_id)
    committed = stop == "acknowledge" and mode != "overwrite"
    assert ended == ("already done by A1" if committed else "done")
    assert len(lake.rows) == 1
    assert not lake.properties


@pytest.mark.parametrize("is_there", [True, False])
def test_a_killed_job_that_no_later_run_can_be_leaves_no_note(is_there: bool, lake: Lake) -> None:
    lake.is_there = is_there
    with pytest.raises(Stopped):
        lake.run("append", "A1", stop="acknowledge", key=JobKey.of_one_run())
    assert not lake.properties
    assert lake.run("append", "A2", key=JobKey.of_one_run()) == "done"
    assert lake.rows == ["A1", "A2"]


def test_a_table_without_a_history_is_not_overwritten_with_its_own_rows(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    session: Any = None
    output = CatalogOutput(session, Dataset(table="lake.db.y"), NAME, "overwrite", "A1")
    own = [Source(table=NAME.quoted)]
    output.check_sources(own)
    monkeypatch.setattr(CatalogOutput, "_history", property(lambda output: None))
    output.check_sources([Source(table="`lake`.`db`.`x`")])
    with pytest.raises(UsageError, match="would change its rows"):
        output.check_sources(own)


def test_a_finished_append_is_repeated_without_a_run_id(lake: Lake) -> None:
    assert [lake.run("append", run) for run in ("A1", "A2")] == ["done", "done"]
    assert lake.rows == ["A1", "A2"]
    done = [lake.run("append", run, "mine") for run in ("A3", "A4")]
    assert done == ["done", "already done by A3"]


def test_a_table_that_another_job_created_is_refused(lake: Lake) -> None:
    lake.is_there = False
    assert lake.run("error", "A1", "mine") == "done"
    with pytest.raises(OutputExistsError):
        lake.run("error", "B1", "another")


def test_a_run_that_is_at_work_keeps_the_same_job_away(lake: Lake) -> None:
    with pytest.raises(Stopped):
        lake.run("append", "A1", stop="publish")
    lake.is_dead = False
    with pytest.raises(OutputBusyError, match="Another run of the same job is writing"):
        lake.run("append", "A2")


def test_an_interrupted_job_is_found_done_by_the_same_process(lake: Lake) -> None:
    lake.is_dead = False
    assert lake.run("append", "A1", stop="interrupt") == "interrupted"
    assert lake.run("append", "A2") == "already done by A1"
    assert (lake.rows, lake.properties) == (["A1"], {})


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (KeyboardInterrupt(), True),
        (ConnectionError(), True),
        (ValueError("org.apache.iceberg.exceptions.CommitStateUnknownException: lost"), True),
        (ValueError("a task failed"), False),
    ],
)
def test_a_job_whose_commit_appears_later_is_found_done(
    error: BaseException, stays: bool, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = CatalogOutput.publish

    def publish_or_discard(output: CatalogOutput, account: Any) -> None:
        with cleanup_on_failure(output):
            publish(output, account)

    monkeypatch.setattr(CatalogOutput, "publish", publish_or_discard)
    lake.error = error
    with pytest.raises(type(error)):
        lake.run("append", "A1")
    assert bool(lake.properties) == stays
    lake.error = None
    if stays:
        lake.append(*lake.late[0])
        assert lake.run("append", "A2") == "already done by A1"
        assert (lake.rows, lake.properties) == (["A1"], {})


def test_a_note_has_no_word_that_spark_masks() -> None:
    note = InFlight("A1", Owner("token-host", "m", 1, "2", "password"))
    assert set(note.to_text()) <= set("0123456789abcdef")
    assert InFlight.of(note.to_text()) == note


def test_a_commit_of_iceberg_is_found_by_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    table = IcebergHistory(None, "y")  # type: ignore[arg-type]
    mark = table.mark("A1", {"rows": 2})
    summary = {key.removeprefix("snapshot-property."): value for key, value in mark.items()}

    def found(spark: Any, name: str, *keys: str) -> list[Any]:
        return [tuple(summary[key] for key in keys)]

    monkeypatch.setattr(history, "summaries_of_iceberg", found)
    assert table.marks() == {"A1": {"rows": 2}}


def test_a_commit_of_delta_is_found_by_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    table = DeltaHistory(None, "y")  # type: ignore[arg-type]
    mark = table.mark("A1", {"rows": 2})
    assert (mark["txnAppId"], mark["txnVersion"]) == ("tfspark-A1", "1")
    texts = ["of another", json.dumps({"a": 1}), "tfspark.commit", mark["userMetadata"]]
    monkeypatch.setattr(history, "commits_of_delta", lambda spark, name: texts)
    assert table.marks() == {"A1": {"rows": 2}}


@pytest.mark.parametrize(
    ("provider", "kind"),
    [
        ("iceberg", IcebergHistory),
        ("org.apache.iceberg.spark.SparkCatalog", IcebergHistory),
        ("delta", DeltaHistory),
        ("jdbc", type(None)),
    ],
)
def test_the_history_follows_from_the_format(provider: str, kind: type) -> None:
    assert isinstance(history_of(None, "y", provider), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("file:/w/y/G=1/h=a%2Fb", True),
        ("file:/w/y/h=a/g=1", False),
        ("file:/w/y/g=1", False),
        ("file:/elsewhere/g=1/h=a", False),
        ("file:/w/y/custom/g=1/h=a", False),
    ],
)
def test_the_place_of_a_partition(folder: str, expected: bool) -> None:
    assert is_in_place(folder, "file:/w/y", ["g", "h"]) is expected
