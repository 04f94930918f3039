from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tfspark.errors import EngineError
from tfspark.spark.cluster import worker_python
from tfspark.spark.cluster.session import python_of_workers
from tfspark.spark.cluster.worker_python import check_worker_python


def session(command: str, master: str = "local[2]", shipped: tuple[str, ...] = ()) -> Any:
    """Return an object with the parts of a classic session that are used."""
    context = SimpleNamespace(pythonExec=command, master=master, _python_includes=shipped)
    return SimpleNamespace(_jsc=object(), sparkContext=context)


@pytest.fixture
def python3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a `python3` on PATH that answers like a Python without some modules."""
    worker_python._found.cache_clear()

    def answer(words: str, code: int = 0) -> None:
        script = tmp_path / "python3"
        script.write_text(f"#!/bin/sh\necho {words}\nexit {code}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    yield answer
    worker_python._found.cache_clear()


OWN = "{}.{}".format(*sys.version_info[:2])


def test_another_python_without_the_package_is_found(python3: Any, tmp_path: Path) -> None:
    python3(f"{OWN} pyarrow tfspark")
    with pytest.raises(EngineError) as caught:
        check_worker_python(session("python3"))
    message = str(caught.value)
    assert f"{tmp_path}/python3, which has no module 'pyarrow', 'tfspark'" in message
    assert 'os.environ["PYSPARK_PYTHON"] = sys.executable' in message


def test_another_version_is_found(python3: Any) -> None:
    python3("3.6")
    with pytest.raises(EngineError, match=f"which is Python 3.6, not {OWN}"):
        check_worker_python(session("python3"))


def test_a_python_that_does_not_run_is_found(python3: Any) -> None:
    python3("no", code=127)
    with pytest.raises(EngineError, match="which does not run"):
        check_worker_python(session("python3"))


def test_a_command_that_is_not_there_is_found() -> None:
    with pytest.raises(EngineError, match="no-such-python, which does not run"):
        check_worker_python(session("no-such-python"))


def test_another_python_that_can_score_is_left_alone(python3: Any) -> None:
    python3(OWN)
    check_worker_python(session("python3"))


def test_workers_elsewhere_are_not_asked(python3: Any) -> None:
    python3("3.6 tfspark")
    check_worker_python(session("python3", master="spark://host:7077"))
    check_worker_python(SimpleNamespace())  # a Connect session with a server elsewhere


def test_this_python_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_python, "_found", pytest.fail)
    check_worker_python(session(sys.executable))


def test_the_server_of_a_local_connect_session_is_asked(
    python3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    python3("3.6")
    monkeypatch.setenv("SPARK_LOCAL_REMOTE", "1")
    monkeypatch.delenv("PYSPARK_PYTHON")
    with pytest.raises(EngineError, match="another Python"):
        check_worker_python(SimpleNamespace())


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [("./a/python", "b", "./a/python"), (None, "b", "b"), (None, None, sys.executable)],
)
def test_the_setting_comes_before_the_variable(
    given: str | None, variable: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYSPARK_PYTHON", raising=False)
    if variable is not None:
        monkeypatch.setenv("PYSPARK_PYTHON", variable)
    assert python_of_workers(given) == expected


def test_a_package_that_is_shipped_is_not_asked_for() -> None:
    """This Python answers the check, and does not have the module."""
    missing = frozenset({"no_such_module", "google.no_such_module", "no_such.module"})
    found = worker_python._found(sys.executable, missing | {"google.protobuf"})
    assert found == (
        "which has no module 'google.no_such_module', 'no_such.module', 'no_such_module'"
    )
    assert worker_python._ships_files(session("python3", shipped=("tfspark.zip",)))
    assert not worker_python._ships_files(session("python3"))
