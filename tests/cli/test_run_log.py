"""The log of a command: warnings on the terminal, the rest in a file that only a failure keeps."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

import pytest

from tfspark.cli.run_log import JsonFormatter, RunLog
from tfspark.errors import EngineError
from tfspark.scoring.run_job import run_job

LOG = logging.getLogger("tfspark.scoring.batch")

OF_PY4J = {"levelno": 40, "levelname": "ERROR", "msg": "interrupted", "pathname": "/x/py4j/a.py"}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the files of runs that fail out of the system's folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def ran(log: RunLog, *, fails: bool = False) -> tuple[int, Path | None]:
    places: list[Path | None] = []

    def job() -> str:
        places.append(log.open_file())
        LOG.info("a detail")
        logging.getLogger("tfspark.spark.cluster.progress").info("1 of 2 tasks")
        LOG.warning("a warning with password=%s", "hidden")
        logging.getLogger().handle(logging.makeLogRecord(OF_PY4J))
        if fails:
            raise EngineError("it fails")
        return "the report"

    with log:
        code = run_job(job, log)
    return code, places[0]


def test_a_run_that_succeeds_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = [*logging.getLogger().handlers]
    code, path = ran(RunLog())
    said = capsys.readouterr()
    assert (code, said.out) == (0, "the report\n")
    assert path is not None
    assert not path.parent.exists()
    assert "a detail" not in said.err
    assert "interrupted" not in said.err
    assert "1 of 2 tasks" in said.err
    assert "password=***" in said.err
    assert logging.getLogger().handlers == before


def test_a_run_that_fails_names_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    code, path = ran(RunLog(), fails=True)
    said = capsys.readouterr().err
    assert code == 65
    assert path is not None
    assert f"The log of Spark is in {path}" in said
    text = path.read_text()
    assert "a detail" in text
    assert "interrupted" in text
    assert "hidden" not in text


def test_records_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, path = ran(RunLog("json"), fails=True)
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["level"] for one in records] == ["INFO", "WARNING", "ERROR"]
    assert records[1]["message"] == "a warning with password=***"
    assert records[2] == {**records[2], "message": "it fails", "log": str(path)}


@pytest.mark.parametrize("end", ["password=", "password='a", 'password="a b', "a\x7f\u202eb"])
def test_json_stays_json(end: str) -> None:
    record = logging.LogRecord("tfspark", logging.INFO, "", 0, f"it needs {end}", None, None)
    message = json.loads(JsonFormatter().format(record))["message"]
    assert message.startswith("it needs ")
    assert message.isprintable()
    assert "a b" not in message


def test_verbose_writes_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, path = ran(RunLog(verbose=True))
    assert (code, path) == (0, None)
    assert "a detail" in capsys.readouterr().err
