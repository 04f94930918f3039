"""The settings of the session that a command starts."""

from __future__ import annotations

from typing import Any

import pytest

from tfspark.cli import on_spark, score

SOCKET = "spark.python.unix.domain.socket.enabled"


def settings(*words: str) -> dict[str, str]:
    needed = ["--model", "m", "--input", "i", "--output", "o"]
    return on_spark.settings_of(score.new_parser().parse_args([*needed, *words]))


def test_flags_become_settings_of_spark() -> None:
    found = settings("--master", "local[4]", "--conf", "spark.driver.memory=8g")
    assert found == {"spark.master": "local[4]", "spark.driver.memory": "8g"}


@pytest.mark.parametrize(
    ("given", "is_local"),
    [({}, True), ({"spark.master": "local[2]"}, True), ({"spark.master": "yarn"}, False)],
)
def test_only_a_local_session_uses_sockets_of_files(
    given: dict[str, str], is_local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTER", raising=False)
    assert (SOCKET in on_spark.settings_of_shell(given)) == is_local


def test_without_pyspark_the_extra_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_spark, "find_spec", lambda _: None)
    ended = run("score", "--model", "m", "--input", "i", "--output", "o")
    assert ended.code == 2
    assert "pip install 'tfspark[spark]'" in ended.error


def test_a_setting_of_the_user_comes_first() -> None:
    assert on_spark.settings_of_shell({SOCKET: "false"})[SOCKET] == "false"
