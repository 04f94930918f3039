"""Files of a commit that another program wrote: none leads out of the folder of the output."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tfspark.errors import OutputBusyError, OutputExistsError
from tfspark.scoring import recover
from tfspark.scoring.batch import new_report
from tfspark.scoring.output.commit import Commit
from tfspark.scoring.output.finished_groups import FinishedGroups
from tfspark.scoring.output.hidden_folder import refuse_planted
from tfspark.scoring.output.in_flight import InFlight
from tfspark.scoring.output.journal import JobKey, Journal, TableRecord
from tfspark.scoring.output.local_store import LocalStore
from tfspark.scoring.output.lock import Lock
from tfspark.scoring.output.owner import Owner
from tfspark.scoring.output.places import Places

OTHER = 65534
KEY = JobKey("digest", "monday")


def journal(**changes: Any) -> str:
    """Return the text of a journal with these changes."""
    report = {"run": "20260102-030405-0a1b2c3d"}
    made = Journal("append", "A1", KEY, Owner.this_process(), ["part-1"], [], "", report)
    return json.dumps({**json.loads(made.to_json()), **changes})


def begun(output: Path) -> Journal | None:
    commit = Commit(Lock(LocalStore(), Places(str(output)), "B1", Owner.this_process()))
    try:
        return commit.begin(KEY)
    finally:
        commit.suspend()


FORGED = {
    "a file elsewhere": journal(add=["../../victim/file"]),
    "an absolute path": journal(add=["/victim/file"]),
    "a folder above": journal(retire=[".."]),
    "no name": journal(add=[""]),
    "a report elsewhere": journal(report={"run": "/../../x"}),
    "a run elsewhere": journal(run="../x"),
    "a number": journal(add=[1]),
    "a process that is a path": journal(owner={**Owner.this_process().as_record(), "pid": "../1"}),
    "no job": journal(job={}),
    "another mode": journal(mode="all"),
    "no object": "[]",
    "no JSON": "{",
    "nothing": "",
    "many lists": "[" * 100_000,
}


NOTE = {"commit": "c", "owner": None}


@pytest.mark.parametrize(
    "text",
    ["", "no hex", *(json.dumps(one).encode().hex() for one in ([], {}, {**NOTE, "owner": 1}))],
)
def test_a_forged_note_of_a_job_is_told(text: str) -> None:
    assert InFlight.of(json.dumps(NOTE).encode().hex()) == InFlight("c", None)
    with pytest.raises(OutputBusyError, match="not one that a job writes"):
        InFlight.of(text)


def test_a_forged_record_of_another_job_is_named(tmp_path: Path) -> None:
    places = Places(str(tmp_path / "out"))
    commit = Commit(Lock(LocalStore(), places, "B1", Owner.this_process()))
    commit.begin(KEY)
    forged = Path(places.done("another job"))
    forged.write_text(journal(add=["../../victim/file"]))
    with pytest.raises(OutputBusyError, match=f"{forged.name} is not one that a job writes"):
        commit.records()
    commit.suspend()


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("name", ["work-A1/journal", "done"])
def test_a_forged_journal_is_named_and_nothing_is_done(
    text: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("mine")
    output = tmp_path / "data" / "out"
    output.mkdir(parents=True)
    places = Places(str(output))
    planted = Path(places.done(KEY.name) if name == "done" else f"{places.hidden}/{name}")
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    with pytest.raises(OutputBusyError, match=r"journal|done-") as error:
        begun(output)
    assert "not one that a job writes" in str(error.value)
    left = planted if name == "done" else Path(places.work("B1"), "journal")
    assert str(left) in str(error.value)
    assert left.read_text() == text
    assert (tmp_path / "victim" / "file").read_text() == "mine"


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "../x", "owner": {}}', "\udcff"])
@pytest.mark.parametrize("name", ["lock-1", "beat-A1"])
def test_a_forged_lock_is_named(name: str, text: str, tmp_path: Path) -> None:
    planted = tmp_path / ".out.tfspark" / name
    planted.parent.mkdir()
    planted.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputBusyError, match=f"{name} is not one that a job writes"):
        begun(tmp_path / "out")
    assert planted.exists()


@pytest.mark.parametrize(
    "record",
    [
        {"files": ["../../x"], "counts": {}},
        {"files": ["a"], "counts": {"rows": "1"}},
        {"files": "a", "counts": {}},
        {"files": ["a"]},
    ],
)
def test_a_forged_group_is_named(record: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "0-a").write_text(json.dumps(record))
    groups = FinishedGroups(LocalStore(), str(tmp_path), str(tmp_path / "new"))
    with pytest.raises(OutputBusyError, match="0-a is not one that a job writes"):
        groups.all()


def test_names_of_partitions_and_of_sparks_files_are_accepted() -> None:
    names = ["_SUCCESS", "g=../part-0", "g=a%2Fb/d=..%2F/part-0.c000.snappy.parquet", "a b/ü..c"]
    assert Journal.of(journal(add=names[2:] + names[:1])).add == [*names[2:], names[0]]
    assert Journal.of(journal(add=[names[1]])).add == ["g=../part-0"]


def test_a_report_of_an_earlier_run_names_no_other_folder() -> None:
    report = new_report("batch_score")
    assert report.of_run({"rows_out": 3}).rows_out == 3
    for run in ("/../../x", "", 1, None):
        with pytest.raises(OutputBusyError, match="not one that a job writes"):
            report.of_run({"run": run})


# --- the rights of the hidden folder


def hidden_in(above: Path, mode: int, hidden_mode: int, owner: int | None = None) -> Places:
    """Make a folder, and a hidden folder in it."""
    above.mkdir()
    hidden = above / ".out.tfspark"
    hidden.mkdir()
    hidden.chmod(hidden_mode)
    above.chmod(mode)
    if owner is not None:
        os.chown(hidden, owner, owner)
    return Places(str(above / "out"))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")


@pytest.mark.parametrize(
    ("mode", "hidden_mode", "owner"),
    [
        (0o755, 0o755, None),
        (0o1777, 0o775, None),
        (0o777, 0o777, None),  # a folder that all users share
        pytest.param(0o2775, 0o2775, OTHER, marks=needs_root),  # a folder that a group shares
    ],
)
def test_a_hidden_folder_of_users_who_can_replace_the_output_is_used(
    mode: int, hidden_mode: int, owner: int | None, tmp_path: Path
) -> None:
    places = hidden_in(tmp_path / "above", mode, hidden_mode, owner)
    refuse_planted(LocalStore(), places)
    assert begun(Path(places.output)) is None


@pytest.mark.parametrize(
    ("mode", "hidden_mode", "owner", "found"),
    [
        (0o755, 0o777, None, "mode 777"),
        (0o1777, 0o777, None, "mode 777"),
        pytest.param(0o1777, 0o755, OTHER, "the user 65534", marks=needs_root),
    ],
)
def test_a_hidden_folder_that_other_users_can_fill_is_refused(
    mode: int, hidden_mode: int, owner: int | None, found: str, tmp_path: Path
) -> None:
    places = hidden_in(tmp_path / "above", mode, hidden_mode, owner)
    planted = Path(places.hidden, "work-A1", "journal")
    planted.parent.mkdir()
    planted.write_text(journal(add=[], mode="overwrite"))
    with pytest.raises(OutputExistsError, match=found):
        begun(Path(places.output))
    assert planted.exists()


@needs_root
def test_the_owner_of_the_output_may_own_the_hidden_folder(tmp_path: Path) -> None:
    places = hidden_in(tmp_path / "above", 0o1777, 0o755, OTHER)
    Path(places.output).mkdir()
    os.chown(places.output, OTHER, OTHER)
    refuse_planted(LocalStore(), places)


@pytest.mark.parametrize("is_dangling", [True, False])
def test_a_hidden_folder_that_is_a_link_is_refused(is_dangling: bool, tmp_path: Path) -> None:
    home = tmp_path / "home"
    if not is_dangling:
        home.mkdir()
        (home / ".profile").write_text("mine")
    (tmp_path / ".out.tfspark").symlink_to(home)
    with pytest.raises(OutputExistsError, match="a link"):
        begun(tmp_path / "out")
    assert is_dangling or (home / ".profile").exists()


def test_a_new_hidden_folder_is_not_writable_by_every_user(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        commit = Commit(
            Lock(LocalStore(), Places(str(tmp_path / "out")), "B1", Owner.this_process())
        )
        commit.begin(KEY)
        assert (tmp_path / ".out.tfspark").stat().st_mode & 0o777 == 0o775
        commit.suspend()
    finally:
        os.umask(before)


# --- tables


@pytest.fixture
def schema(spark: SparkSession) -> Iterator[str]:
    """A schema with a table of another user's."""
    spark.sql("CREATE SCHEMA planted")
    spark.sql("CREATE TABLE planted.customers USING parquet AS SELECT 1 AS id")
    spark.sql("CREATE TABLE planted.x__tfspark_y USING parquet AS SELECT 1 AS id")
    yield "planted"
    spark.sql("DROP SCHEMA planted CASCADE")


@pytest.mark.parametrize(
    "name",
    [
        "planted.customers PURGE",
        "`planted`.`customers`",
        "planted.x__tfspark_y",
        "`planted`.`x__tfspark_y`",  # managed, so a drop would delete its files
        "",
    ],
)
def test_a_recovery_drops_no_table_that_no_job_has_staged(
    spark: SparkSession, schema: str, name: str, tmp_path: Path
) -> None:
    note = tmp_path / ".out.tfspark" / "work-A1" / "table"
    note.parent.mkdir(parents=True)
    note.write_text(name)
    with pytest.raises(OutputBusyError, match="names a table that no job has staged"):
        recover(spark, str(tmp_path / "out"))
    assert spark.table(f"{schema}.customers").count() == 1
    assert spark.table(f"{schema}.x__tfspark_y").count() == 1
    assert [path.read_text() for path in tmp_path.glob(".out.tfspark/work-*/table")] == [name]


@pytest.mark.parametrize(
    ("name", "definition", "is_here"),
    [
        ("`planted`.`customers`", "", False),
        ("`planted`.`customers` DROP PARTITIONS", "", True),
        ("`planted`.`new`", "`planted`.`customers`", True),
        ("`planted`.`customers`", "planted.customers PURGE", True),
    ],
)
def test_a_recovery_updates_only_the_table_of_its_folder(
    spark: SparkSession, schema: str, name: str, definition: str, is_here: bool, tmp_path: Path
) -> None:
    location = f"file:{tmp_path}/{'out' if is_here else 'elsewhere'}"
    table = TableRecord(name, location, ("id",), definition)
    made = Journal("append", "A1", KEY, Owner.this_process(), [], table=table)
    note = tmp_path / ".out.tfspark" / "work-A1" / "journal"
    note.parent.mkdir(parents=True)
    note.write_text(made.to_json())
    before = spark.sql(f"SHOW TABLES IN {schema}").count()
    with pytest.raises(OutputBusyError, match="names a table that no job has staged"):
        recover(spark, str(tmp_path / "out"))
    assert spark.sql(f"SHOW TABLES IN {schema}").count() == before
    assert spark.table(f"{schema}.customers").count() == 1
