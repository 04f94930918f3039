"""The settings of the session that a command starts."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tfspark.cli import on_spark, score
from tfspark.cli.run_log import RunLog
from tfspark.errors import UsageError
from tfspark.spark.cluster import session

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
    monkeypatch.setattr(on_spark, "others_cannot_write", lambda: True)
    assert (SOCKET in on_spark.settings_of_shell(given)) == is_local


@pytest.mark.parametrize(("mask", "uses_sockets"), [(0o022, True), (0o077, True), (0o002, False)])
def test_sockets_are_used_only_if_other_users_cannot_write_to_them(
    mask: int, uses_sockets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MASTER", raising=False)
    before = os.umask(mask)
    try:
        assert (SOCKET in on_spark.settings_of_shell({})) == uses_sockets
        assert os.umask(mask) == mask
    finally:
        os.umask(before)


def test_without_pyspark_the_extra_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_spark, "find_spec", lambda _: None)
    ended = run("score", "--model", "m", "--input", "i", "--output", "o")
    assert ended.code == 2
    assert "pip install 'pyspark" in ended.error


@pytest.mark.parametrize(
    ("words", "variable", "found"),
    [
        ([], ("SPARK_REMOTE", "sc://host/;token=hidden"), "SPARK_REMOTE=sc://host"),
        ([], ("SPARK_REMOTE", ""), "SPARK_REMOTE="),
        ([], ("SPARK_API_MODE", "Connect"), "SPARK_API_MODE=Connect"),
        ([], ("SPARK_CONNECT_MODE_ENABLED", "1"), "SPARK_CONNECT_MODE_ENABLED=1"),
        (["--conf", "spark.remote=sc://host"], ("A", ""), "--conf spark.remote=sc://host"),
        (["--conf", "spark.api.mode=connect"], ("A", ""), "--conf spark.api.mode=connect"),
    ],
)
def test_spark_connect_is_refused_before_spark_starts(
    words: list[str],
    variable: tuple[str, str],
    found: str,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(*variable)
    ended = run("score", "--model", "m", "--input", "i", "--output", "o", *words)
    assert ended.code == 2
    assert "needs a classic session" in ended.error
    assert found in ended.error
    assert "tfspark.predict" in ended.error
    assert "hidden" not in ended.error
    assert "--remote URL" in run("doctor", *words).error


def test_a_classic_mode_of_the_flags_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARK_API_MODE", "connect")
    for name in session._CONNECT:
        monkeypatch.delenv(name, raising=False)
    session.refuse_connect({"spark.api.mode": "Classic"})


def test_spark_connect_is_refused_under_spark_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://host")
    with pytest.raises(UsageError, match=r"score with tfspark\.predict"):
        session.session("a job")


def test_a_setting_of_the_user_comes_first() -> None:
    assert on_spark.settings_of_shell({SOCKET: "false"})[SOCKET] == "false"


def test_secrets_are_not_on_the_command_line_of_the_jvm(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfspark.spark.cluster import jvm_process

    started: dict[str, dict[str, str]] = {}

    def start_jvm(settings: dict[str, str], _: object) -> None:
        started["jvm"] = settings

    def new_session(_: str, **options: Any) -> None:
        started["session"] = options["settings"]

    monkeypatch.setattr(jvm_process, "has_jvm", lambda: False)
    monkeypatch.setattr(jvm_process, "start_jvm", start_jvm)
    monkeypatch.setattr(session, "session", new_session)
    monkeypatch.setenv("TFSPARK_CONF", "spark.hadoop.fs.s3a.secret.key=hidden")
    args = score.new_parser().parse_args(["--model", "m", "--input", "i", "--output", "o"])
    on_spark._session("a job", args, RunLog(verbose=True), hive=False)
    assert "hidden" not in started["jvm"].values()
    assert started["session"] == {"spark.hadoop.fs.s3a.secret.key": "hidden"}


def test_secrets_are_there_when_the_start_fetches_files() -> None:
    given = {"spark.hadoop.fs.s3a.secret.key": "hidden", "spark.jars": "s3a://bucket/a.jar"}
    assert on_spark.without_secrets(given) == (given, {})
