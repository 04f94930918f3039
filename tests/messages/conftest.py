"""The working directory of a user: models, tables, files, and a row with columns of many types."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from tests.messages.mistake import World

POINTS = """
    SELECT 7L AS id, array(1f, 2f) AS features, array(1f, 2f, 3f) AS three, array(1f, null) AS hole,
      1f AS a, 2f AS b, 3D AS x0, 4D AS x1, 1e39D AS huge, 'text' AS word, array('a') AS words,
      DATE'2024-01-02' AS day, true AS flag, X'FF' AS bytes, named_struct('a', 1f) AS s,
      map('a', 1f) AS m, array(1f, 2f, 3f, 4f) AS four
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models and files, written once."""
    from tests.messages.message_models import write_models

    folder = tmp_path_factory.mktemp("user")
    write_models(folder)
    row = {"features": [1.0, 2.0]}
    types = pa.schema({"features": pa.list_(pa.float32())})
    pq.write_table(pa.Table.from_pylist([row, row], types), folder / "points.parquet")
    pq.write_table(
        pa.table({"id": [4, 5], "features": [[1.0, 2.0], [1.0]]}), folder / "ragged.parquet"
    )
    (folder / "there").mkdir()
    pq.write_table(pa.table({"y": [1]}), folder / "there" / "part.parquet")
    (folder / "points.csv").write_text("x0,x1,word\n1.5,2,a\n2.5,3,b\n")
    (folder / "broken.csv").write_text("x0,x1\n1.5,2\n2.5,3,4\n")
    (folder / "broken.json").write_text('{"x0": 1.5, "x1": 2}\n{"x0": \n')
    whole = (folder / "points.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "text.parquet").write_text("id,features\n1,2\n")
    (folder / "mistyped.toml").write_text("bach-size = 64\n")
    (folder / "wrong.toml").write_text("mode = 'replace'\n")
    (folder / "no_rows").mkdir()
    (folder / "deltas" / "_delta_log").mkdir(parents=True)
    (folder / "deltas" / "_delta_log" / "00000000000000000000.json").write_text("{}")
    (folder / "deltas" / "part.parquet").write_bytes(whole)
    return folder


@pytest.fixture
def world(spark: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The session, in the folder of the user."""
    monkeypatch.chdir(folder)
    points = spark.sql(POINTS)
    points.createOrReplaceTempView("points")
    yield World(spark, points, folder)
    spark.catalog.dropTempView("points")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that no mistaken job may write."""
    return tmp_path / "out"


@pytest.fixture
def ended(
    spark: SparkSession,
    folder: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., tuple[Any, str]]]:
    """Run the `main` of a job on the shared session; return its exit code and its output."""
    monkeypatch.setattr(SparkSession, "stop", lambda self: None)

    def end(main: Callable[[list[str]], int], flags: str) -> tuple[Any, str]:
        capfd.readouterr()
        try:
            code: Any = main(shlex.split(flags.format(here=folder, out=out)))
        except SystemExit as refused:
            code = refused.code
        said = capfd.readouterr().err
        return code, said.partition("error: ")[2]

    yield end
    spark.sparkContext.setLogLevel("OFF")  # a job sets its own
