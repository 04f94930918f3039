"""The SQL job in this process: statements, Hive tables in and out, refusals."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from jobs.sql_score import main, parse_args
from tfspark.scoring.query import split_statements

SELECT = "SELECT id, tfpredict(features) AS y FROM points"


@pytest.fixture
def score(end_of: Any, linear: Path) -> Callable[..., Any]:
    """Run the job with the linear model as `tfpredict`; it must succeed."""

    def run(*flags: object) -> Any:
        ended = end_of(main, "--register", f"tfpredict={linear}", *flags)
        assert ended.code == 0, ended.error
        return ended

    return run


@pytest.fixture
def points(spark: SparkSession, rows: Path) -> Iterator[str]:
    spark.read.parquet(str(rows)).createOrReplaceTempView("points")
    yield "points"
    spark.catalog.dropTempView("points")


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;\n\nSELECT 2;\n;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';', \"a;b\", 'it''s;', 'it\\';s'", ["SELECT ';', \"a;b\", 'it''s;', 'it\\';s'"]),
        ("SELECT `a;b`; SELECT 2", ["SELECT `a;b`", "SELECT 2"]),
        ("-- first; second\nSELECT 1 -- third; \n + 1", ["SELECT 1  \n + 1"]),
        ("SELECT/* ; */1 /* 'not closed */ ; SELECT '/*'", ["SELECT 1", "SELECT '/*'"]),
        ("SELECT /*+ BROADCAST(t) */ 1", ["SELECT /*+ BROADCAST(t) */ 1"]),
        ("SELECT '--not a comment;'", ["SELECT '--not a comment;'"]),
        ("", []),
        ("-- nothing;\n /* at all; */ ;", []),
    ],
)
def test_statements_end_at_semicolons_of_their_own(text: str, statements: list[str]) -> None:
    assert split_statements(text) == statements


def test_an_error_of_a_query_is_told_once(
    spark: SparkSession, end_of: Any, linear: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = pytest.importorskip("pyspark.logger").PySparkLogger.getLogger("SQLQueryContextLogger")
    logged: list[logging.LogRecord] = []
    monkeypatch.setattr(logger, "handle", logged.append)
    ended = end_of(main, "--register", f"f={linear}", "--query", "SELECT nothing(1)")
    assert ended.code == 65
    assert "`nothing`" in ended.error
    assert not logged
    with pytest.raises(AnalysisException):
        spark.sql("SELECT nothing(1)")
    assert not logger.disabled


def test_result_is_shown(score: Any, points: str) -> None:
    ended = score("--query", f"{SELECT} WHERE id < 2 ORDER BY id")
    assert [line.split("|")[1:3] for line in ended.stdout.splitlines()[3:5]] == [
        ["0  ", "3.0"],
        ["1  ", "4.0"],
    ]
    assert ended.report["job"] == "sql_score"
    assert ended.report["seconds"].keys() >= {"plan", "show", "total"}


def test_result_is_written(score: Any, points: str, tmp_path: Path) -> None:
    ended = score("--query", SELECT, "--output", tmp_path / "out")
    scored = pq.read_table(tmp_path / "out").sort_by("id")
    assert scored["y"].to_pylist() == [3.0, 4.0, None, 9.0, 3.0]
    assert ended.report["rows_out"] == 5
    assert ended.report["null_rows"] is None
    assert ended.report["model"]["tfpredict"]["version"] == 1
    assert Path(ended.stdout.splitlines()[-1]).parent == tmp_path / "out"


def test_hive_table_in_hive_table_out(
    score: Any, spark: SparkSession, tables: str, tmp_path: Path
) -> None:
    (tmp_path / "score.sql").write_text(
        f"""-- points; as Hive keeps them
        USE {tables};
        CREATE TABLE points (id INT, name STRING, features ARRAY<FLOAT>) STORED AS ORC;
        INSERT INTO points VALUES (0, 'a;b', array(1f, 2f)), (1, 'c', array(3f, 5f));
        /* scored; by name */
        SELECT id, name, tfpredict(features) AS y FROM points WHERE name <> ';'
        """
    )
    try:
        score("--file", tmp_path / "score.sql", "--output-table", f"{tables}.y")
    finally:
        spark.sql("USE default")
    scored = spark.table(f"{tables}.y").orderBy("id").collect()
    assert [tuple(row) for row in scored] == [(0, "a;b", 3.0), (1, "c", 4.0)]


def test_insert_and_create_as_select(score: Any, spark: SparkSession, tables: str) -> None:
    features = "SELECT 1 id, array(1f, 2f) features"
    score(
        "--query", f"CREATE TABLE {tables}.y AS SELECT id, tfpredict(features) y FROM ({features})"
    )
    score("--query", f"INSERT INTO {tables}.y SELECT id, tfpredict(features) FROM ({features})")
    assert [tuple(row) for row in spark.table(f"{tables}.y").collect()] == [(1, 3.0)] * 2


def test_several_models_and_scalar_arguments(score: Any, linear: Path, tmp_path: Path) -> None:
    query = "SELECT tfpredict(1f, 2f) a, again(array(3f, 5f)) b"
    score("--register", f"again={linear}", "--query", query, "--output", tmp_path / "out")
    assert pq.read_table(tmp_path / "out").to_pylist() == [{"a": 3.0, "b": 4.0}]


def test_doubles_are_rounded(score: Any, tmp_path: Path) -> None:
    score("--query", "SELECT tfpredict(1d, 2d) y", "--output", tmp_path / "out")
    assert pq.read_table(tmp_path / "out")["y"].to_pylist() == [3.0]


@pytest.mark.parametrize("output", ["", "--output {0}/out"])
def test_bad_row_is_named(
    output: str, end_of: Any, linear: Path, bad_rows: Path, tmp_path: Path, files_under: Any
) -> None:
    before = files_under(tmp_path)
    query = f"SELECT tfpredict(features) FROM parquet.`{bad_rows}`"
    flags = ("--query", query, *output.format(tmp_path).split())
    ended = end_of(main, "--register", f"tfpredict={linear}", *flags)
    assert ended.code == 65
    assert "row 9 of partition 0: expected a row of shape (2,), found (3,)" in ended.error
    assert "Traceback" not in ended.error
    assert files_under(tmp_path) == before


@pytest.mark.parametrize(
    ("query", "code", "error"),
    [
        ("SELECT unknown(1)", 65, "unknown"),
        ("SELEC 1", 65, "SELEC"),
        ("SELECT tfpredict(features) FROM nowhere", 66, "nowhere"),
        ("SELECT tfpredict(features) FROM parquet.`/no/such`", 66, "/no/such"),
        ("SELECT 1;;SELECT a.b.c FROM (SELECT 1)", 65, "a"),
        ("SHOW", 65, "SHOW"),
        (" ; -- nothing", 2, "There is no SQL statement"),
        ("DROP TABLE IF EXISTS nothing", 2, "returns no rows to write"),
    ],
)
def test_bad_sql_is_refused(
    query: str, code: int, error: str, end_of: Any, linear: Path, tmp_path: Path
) -> None:
    flags = ("--query", query, "--output", tmp_path / "out")
    ended = end_of(main, "--register", f"tfpredict={linear}", *flags)
    assert ended.code == code
    assert error in ended.error
    assert "Traceback" not in ended.error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ("--register tfpredict={0}/nothing --query x", 65),
        ("--register tfpredict={1} --file {0}/nothing.sql", 66),
        ("--register tfpredict={1} --query x --output {0}/there", 73),
        ("--register tfpredict={1} --query x --report {0}/there", 2),
    ],
)
def test_what_is_wrong_around_the_query(
    flags: str, code: int, end_of: Any, linear: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    ended = end_of(main, *flags.format(tmp_path, linear).split())
    assert (ended.code, ended.spark_jobs) == (code, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--query x",
        "--register a --query x",
        "--register a=b",
        "--register a=b --query x --file y",
        "--register a=b --register a=c --query x",
    ],
)
def test_usage_error(flags: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse_args(flags.split())
    assert end.value.code == 2
    assert "usage: sql_score.py" in capsys.readouterr().err
