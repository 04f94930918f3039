"""Python and Scala share one commit: each recovers jobs of the other and respects its lock."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.bridge.session import Session

EVERYTHING = """
from tests.bridge.commit_both import everything
from tests.bridge.tables_both import recovered
tables = {f"{side} tables": recovered(spark, side) for side in ("python", "scala")}
answer({**everything(spark, ROOT), **tables})
"""
SIDES = ("python", "scala")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of one program, for all tests."""
    root = tmp_path_factory.mktemp("commit") / "outputs"
    answer: dict[str, Any] = session.ask(f"ROOT = {str(root)!r}\n{EVERYTHING}")
    return answer


@pytest.mark.parametrize("mode", ["error", "overwrite", "append"])
@pytest.mark.parametrize("side", SIDES)
def test_a_job_stopped_anywhere_is_recovered_by_the_other_side(
    side: str, mode: str, found: dict[str, Any]
) -> None:
    assert found[f"{side} {mode}"] == []


@pytest.mark.parametrize("side", SIDES)
def test_a_job_into_a_table_is_recovered_by_the_other_side(
    side: str, found: dict[str, Any]
) -> None:
    assert found[f"{side} tables"] == []


@pytest.mark.parametrize("side", SIDES)
def test_a_live_lock_of_the_other_side_is_refused(side: str, found: dict[str, Any]) -> None:
    ended = found[f"{side} refused"]
    assert "found:    run " in ended
    assert "Another job writes to the output" in ended
    assert f" on {os.uname().nodename}" in ended


@pytest.mark.parametrize("side", SIDES)
def test_a_run_id_that_is_done_on_the_other_side_is_not_run_again(
    side: str, found: dict[str, Any]
) -> None:
    ends, rows = found[f"{side} done"]
    assert ends == ["done", "already done", "already done"]
    assert rows == sorted(["old.1", f"of-{side}.1", f"of-{side}.2"])


def test_scala_knows_which_process_of_python_has_ended(found: dict[str, Any]) -> None:
    assert found["ended"] == [False, True, False]
