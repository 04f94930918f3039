"""The batch job into and out of tables of the real H2; `tools/compat.py` runs it.

It needs pytest alone. TFSPARK_COMPAT_MODELS names the folder of the models, TFSPARK_COMPAT_DATABASE
the jar of H2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import batch_score
from tests.compat.one_job import LINEAR, SCORED, Killed, kill, session_in
from tfspark.scoring.output.jdbc import JdbcOutput
from tfspark.scoring.output.owner import Owner
from tfspark.spark.cluster.jdbc import CATALOG, Database


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.jars": os.environ["TFSPARK_COMPAT_DATABASE"],
        "spark.sql.catalog.h2": CATALOG,
        "spark.sql.catalog.h2.url": f"jdbc:h2:{home}/database;DB_CLOSE_DELAY=-1",
        "spark.sql.catalog.h2.driver": "org.h2.Driver",
    }
    session = session_in(home, settings)
    session.sql("CREATE SCHEMA h2.db")
    yield session
    session.stop()


@pytest.fixture
def score(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run the job in the session of the tests, from one table of H2 into another."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)
    monkeypatch.setattr(Owner, "has_ended", lambda owner: True)
    database = Database(spark, "h2")
    names = [database.quoted("db", name) for name in ("source", "scored")]
    with database.transaction() as transaction:
        transaction.run(f'CREATE TABLE {names[0]} ("id" BIGINT, "a" REAL, "b" REAL)')
        for at in range(5):
            transaction.run(f"INSERT INTO {names[0]} VALUES ({at}, {at}, 1)")

    def run(*flags: str) -> int:
        places = ("--input-table", "h2.db.source", "--output-table", "h2.db.scored")
        return batch_score.main(["--model", LINEAR, "--feed", "inputs=a,b", *places, *flags])

    yield run
    with database.transaction() as transaction:
        for name in (*names, database.quoted("db", "tfspark_runs")):
            transaction.run(f"DROP TABLE IF EXISTS {name}")


def scored(spark: SparkSession) -> list[tuple[Any, ...]]:
    return sorted(map(tuple, spark.table("h2.db.scored").select("id", "outputs").collect()))


def test_rows_are_created_appended_and_overwritten(spark: SparkSession, score: Any) -> None:
    for mode, times in (("error", 1), ("append", 2), ("overwrite", 1)):
        assert score("--mode", mode) == 0
        assert scored(spark) == sorted(SCORED * times)
    assert score() == 73
    names = [row["tableName"] for row in spark.sql("SHOW TABLES IN h2.db").collect()]
    assert sorted(names) == ["scored", "source", "tfspark_runs"]


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("step", ["_set_step", "acknowledge"])
def test_a_killed_job_adds_its_rows_once(
    is_there: bool, step: str, spark: SparkSession, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_there:
        assert score() == 0
    flags = ("--mode", "append", "--run-id", "monday")
    with monkeypatch.context() as patch:
        patch.setattr(JdbcOutput, step, kill)
        with pytest.raises(Killed):
            score(*flags)
    for _ in range(2):
        assert score(*flags) == 0
        assert scored(spark) == sorted(SCORED * (2 if is_there else 1))
    names = [row["tableName"] for row in spark.sql("SHOW TABLES IN h2.db").collect()]
    assert sorted(names) == ["scored", "source", "tfspark_runs"]
