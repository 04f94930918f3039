"""Our messages for exceptions of Spark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfspark.errors import EngineError, InvalidInputError, RowError, TfsparkError
from tfspark.scoring.output.table_name import parts_of
from tfspark.spark.cluster.failures import cause, from_worker, is_disconnected, own_errors
from tfspark.spark.cluster.files import local_path

WORKER = """Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times
org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "task.py", line 38, in __call__
    yield from score(
    ^^^^^^^^^^
{error}

\tat org.apache.spark.api.python.BasePythonRunner$ReaderIterator.handle(PythonRunner.scala:1)
Driver stacktrace:
"""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("tfspark.errors.RowError: row 3: too long", RowError("row 3: too long")),
        (
            "tfspark.errors.EngineError: no\n  found: x\nHint: y",
            EngineError("no\n  found: x\nHint: y"),
        ),
        ("ValueError: something", None),
        (
            "tfspark.errors.EngineError: 99 is not in [0, 5)\n\nThe above exception was the direct "
            "cause of the following exception:\n\nTraceback (most recent call last):\n"
            '  File "task.py", line 1, in score\ntfspark.errors.RowError: row 77: Graph error:\n\n'
            "Detected at node x",
            RowError("row 77: Graph error:\n\nDetected at node x"),
        ),
    ],
)
def test_error_of_a_worker_comes_back_typed(error: str, expected: TfsparkError | None) -> None:
    found = from_worker(RuntimeError(WORKER.format(error=error)))
    assert (type(found), str(found)) == (type(expected), str(expected))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "[PARQUET_TYPE_ILLEGAL] Illegal Parquet type: INT64 (TIMESTAMP(NANOS,false)). "
            "SQLSTATE: 42846",
            "INT64 (TIMESTAMP(NANOS,false))",
        ),
        ("Parquet type not yet supported: INT32 (TIME(MILLIS,true)).", "INT32 (TIME(MILLIS,true))"),
        ("[UNSUPPORTED_TIME_TYPE] The data type TIME is not supported. SQLSTATE: 0A000", "TIME\n"),
        (
            "[COLUMN_ALREADY_EXISTS] The column `id` already exists. Choose another name or rename "
            "the existing column. SQLSTATE: 42711",
            "'id'",
        ),
    ],
)
def test_a_column_that_spark_refuses_is_an_error_of_the_input(text: str, found: str) -> None:
    error = from_worker(RuntimeError(text))
    assert isinstance(error, InvalidInputError)
    assert found in str(error)
    assert "Hint: " in str(error)


def test_missing_module_is_told() -> None:
    error = from_worker(RuntimeError("ModuleNotFoundError: No module named 'numpy'"))
    assert isinstance(error, EngineError)
    assert "no module 'numpy'" in str(error)


@pytest.mark.parametrize("where", ["", ' (in directory "/tmp/work")'])
def test_a_python_that_the_nodes_lack_is_told(where: str) -> None:
    reason = f'Cannot run program "/home/me/bin/python"{where}: error=2, No such file or directory'
    error = from_worker(RuntimeError(f"Caused by: java.io.IOException: {reason}\n\tat a.b"))
    assert isinstance(error, EngineError)
    assert "cannot start the Python /home/me/bin/python." in str(error)
    assert "No such file or directory" in str(error)


@pytest.mark.parametrize(
    "reason",
    [
        "java.io.IOException: [INTERNAL_ERROR_BROADCAST] Failed to get broadcast_7_piece3 of "
        "broadcast_7 SQLSTATE: XX000",
        "org.apache.spark.SparkException: corrupt remote block broadcast_7_piece3 of broadcast_7: "
        "1402 != 77",
    ],
)
def test_a_lost_or_changed_part_of_a_broadcast(reason: str) -> None:
    error = from_worker(RuntimeError(f"Job aborted due to stage failure: {reason}\n\tat a.b"))
    assert isinstance(error, EngineError)
    assert "broadcast_7_piece3 of broadcast_7\n" in str(error)


def test_an_error_that_is_its_own_cause_is_looked_at_once() -> None:
    error = RuntimeError("no network")
    error.__cause__ = error
    assert not is_disconnected(error)
    error.__cause__ = ConnectionError("gone")
    assert is_disconnected(error)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError, match="other"), own_errors():
        raise KeyError("other")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WORKER.format(error="ValueError: something"), "ValueError: something"),
        (
            "An error occurred while calling o1.save.\n: java.io.IOException: no\n\tat a.b(C.java)",
            "java.io.IOException: no",
        ),
        ("one\n\tat a.b\nCaused by: java.lang.Error: two\n\tat c.d", "java.lang.Error: two"),
        ("plain\nand more", "plain"),
        ("", "RuntimeError"),
    ],
)
def test_cause_is_one_line(text: str, expected: str) -> None:
    assert cause(RuntimeError(text)) == expected


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("a b/c", Path("a b/c")),
        ("file:/a%20b#c?d", Path("/a%20b#c?d")),
        ("file:///a", Path("/a")),
        ("FILE://host/a", Path("/a")),
        ("hdfs://host/a", None),
        ("/a/b://c", Path("/a/b://c")),
    ],
)
def test_local_path_of_a_uri(uri: str, path: Path | None) -> None:
    assert local_path(uri) == path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("t", ["t"]),
        ("db.t", ["db", "t"]),
        ("`my db`.`a.b``c`", ["my db", "a.b`c"]),
        ("spark_catalog.db.t", ["spark_catalog", "db", "t"]),
        ("lake.db.t", ["lake", "db", "t"]),
    ],
)
def test_parts_of_a_table_name(name: str, parts: list[str]) -> None:
    assert parts_of(name) == parts
