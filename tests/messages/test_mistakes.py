"""Messages for users: the mistake, its place, and the next step in the terms of the API."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from jobs import batch_score, sql_score
from tests.messages import in_python, on_command_line
from tests.messages.mistake import Command, Mistake, World, missing
from tfspark.cli import command, on_spark
from tfspark.spark.cluster.failures import from_worker


def named(mistakes: Iterable[Any]) -> list[Any]:
    """Return the mistakes as parameters of a test."""
    return [pytest.param(one, id=one.name) for one in mistakes]


def told(make: Callable[..., Any], given: Any) -> Exception:
    """Return the error of a mistake; if only rows show it, the error that the worker raised."""
    with pytest.raises(Exception, match=r".") as raised:
        make(given).collect()
    return from_worker(raised.value) or raised.value


def check(one: Mistake, error: Exception) -> None:
    assert isinstance(error, one.error), repr(error)
    assert not missing(one.words, str(error)), str(error)


@pytest.mark.parametrize("one", named(in_python.EVERYWHERE))
@pytest.mark.parametrize("function", in_python.FUNCTIONS, ids=lambda one: one.__name__)
def test_every_function_tells(function: Any, one: Mistake, world: World) -> None:
    check(one, told(one.make, function(world)))


@pytest.mark.parametrize(
    "one",
    named(
        [*in_python.OF_PREDICT, *in_python.OF_COLUMN_FUNCTIONS, *in_python.OF_PREDICT_RDD],
    ),
)
def test_python_tells(one: Mistake, world: World) -> None:
    check(one, told(one.make, world))


@pytest.mark.parametrize("one", named(on_command_line.USAGE))
def test_command_line_tells_without_a_session(
    one: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        batch_score.parse_args(shlex.split(one.flags.format(here=".", out="out")))
    said = capsys.readouterr().err
    assert end.value.code == one.code
    assert not missing(one.words, said), said


@pytest.mark.parametrize("one", named([*on_command_line.BEFORE, *on_command_line.DURING]))
def test_batch_job_tells(one: Command, world: World, ended: Any, out: Path) -> None:
    code, said = ended(batch_score.main, one.flags)
    assert not missing(one.words, said), said
    assert code == one.code, said
    assert not out.exists()


@pytest.mark.parametrize("one", named(on_command_line.SQL_JOB))
def test_sql_job_tells(one: Command, world: World, ended: Any) -> None:
    code, said = ended(sql_score.main, one.flags)
    assert not missing(one.words, said), said
    assert code == one.code, said


@pytest.mark.parametrize("one", named(on_command_line.WITHOUT_SPARK))
def test_a_command_tells_before_spark_starts(
    one: Command,
    folder: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(on_spark, "_session", None)  # a start of Spark is a TypeError
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.chdir(folder)
    try:
        code: object = command.main(shlex.split(one.flags.format(out=out)))
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr().err
    assert not missing(one.words, said), said
    assert code == one.code, said
