"""Values from a file and from the environment: which comes first, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tfspark.cli import score

FILE = """
model = "models/m"
batch-size = 64
narrow = true
keep = ["id", "name"]
option.header = true
[feed]
inputs = ["height", "weight"]
"""


def parsed(*words: str) -> Any:
    return score.new_parser().parse_args(words)


@pytest.fixture
def config(run: Any, tmp_path: Path) -> Path:
    path = tmp_path / "job.toml"
    path.write_text(FILE)
    return path


def test_a_file_gives_values_of_every_kind(config: Path) -> None:
    args = parsed("--config", str(config), "--input", "i", "--output", "o")
    assert (args.model, args.batch_size, args.narrow) == ("models/m", 64, True)
    assert (args.keep, args.option) == (["id", "name"], {"header": "true"})
    assert args.feed == {"inputs": ["height", "weight"]}


def test_names_with_dots_need_no_quotes(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "dots.toml"
    path.write_text('[conf]\nspark.driver.memory = "8g"\n"spark.log.level" = "ERROR"\n')
    args = parsed("--config", str(path), "--model", "m", "--input", "i", "--output", "o")
    assert args.conf == {"spark.driver.memory": "8g", "spark.log.level": "ERROR"}


def test_a_flag_comes_before_a_file_and_a_file_before_the_environment(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFSPARK_MODE", "append")
    monkeypatch.setenv("TFSPARK_BATCH_SIZE", "1")
    monkeypatch.setenv("TFSPARK_CONFIG", str(config))
    monkeypatch.setenv("TFSPARK_ALLOW_MISSING", "true")
    args = parsed("--model", "mine", "--feed", "x=a", "--input", "i", "--output", "o")
    assert (args.model, args.feed) == ("mine", {"x": "a"})
    assert args.batch_size == 64
    assert (args.mode, args.allow_missing) == ("append", True)


def test_a_flag_replaces_values_that_exclude_it(config: Path) -> None:
    words = ["--config", str(config), "--models", "a=m", "--input", "i", "--output", "o"]
    args = parsed(*words)
    assert (args.model, args.models) == (None, {"a": "m"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("batch_size = 2", ["there is no setting 'batch_size'", "Did you mean 'batch-size'?"]),
        ("config = 'x'", ["there is no setting 'config'"]),
        ("batch-size = 0", ["argument --batch-size", "at least 1", "(from job.toml)"]),
        ("mode = 'replace'", ["'replace'", "overwrite", "(from job.toml)"]),
        ("narrow = 'yes'", ["narrow takes true or false"]),
        ("feed = 'a'", ["feed takes a table", "[feed]"]),
        ("chunks = {a = 1}", ["chunks takes one value"]),
        ("model = ", ["job.toml is not TOML"]),
    ],
)
def test_a_wrong_file_is_refused(text: str, words: list[str], run: Any, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(text)
    ended = run("score", "--config", "job.toml", "--model", "m", "--input", "i", "--output", "o")
    assert ended.code == 2
    assert all(word in ended.error for word in words), ended.error


@pytest.mark.parametrize("words", [["--config=job.toml"], ["--config", "job.toml"]])
def test_a_word_after_the_file_is_not_the_file(words: list[str], run: Any, tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text(FILE)
    ended = run("score", "--input", "i", "--output", "o", *words, "more")
    assert ended.code == 2
    assert "1 word after --config without a flag" in ended.error


def test_a_missing_file_is_refused(run: Any) -> None:
    ended = run("score", "--config", "no.toml")
    assert ended.code == 2
    assert "no.toml cannot be read: No such file" in ended.error


def test_a_wrong_variable_is_named(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFSPARK_CHUNKS", "none")
    ended = run("score", "--model", "m", "--input", "i", "--output", "o")
    assert "(from TFSPARK_CHUNKS)" in ended.error
    monkeypatch.setenv("TFSPARK_NARROW", "1")
    assert "expected true or false, found '1'" in run("score", "--model", "m").error


def test_an_empty_variable_is_named_and_can_be_overridden(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFSPARK_RUN_ID", "")
    words = ("--model", "m", "--input", "i", "--output", "o")
    ended = run("score", *words)
    assert ended.code == 2
    assert "TFSPARK_RUN_ID: the value of --run-id is empty; give a value, or remove" in ended.error
    assert parsed(*words, "--run-id", "mine").run_id == "mine"


def test_show_config_names_each_value_and_its_source(
    config: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TFSPARK_CHUNKS", "3")
    words = ["--show-config", "--mode", "append", "--option", "password=hidden", "--conf", "a=b c"]
    ended = run("score", "--config", config, *words)
    assert ended.code == 0
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in ended.stdout.splitlines()}
    assert rows["--batch-size"] == f"64 {config}"
    assert rows["--feed"] == f"inputs=height,weight {config}"
    assert rows["--narrow"] == f"true {config}"
    assert rows["--chunks"] == "3 TFSPARK_CHUNKS"
    assert rows["--mode"] == "append command line"
    assert rows["--engine"] == "auto default"
    assert rows["--input"] == "- default"
    assert rows["--option"] == "password=*** command line"
    assert "hidden" not in ended.stdout


def test_the_environment_can_ask_for_a_dry_run(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFSPARK_DRY_RUN", "true")
    assert parsed("--model", "m", "--input", "i", "--output", "o").dry_run


def test_help_works_with_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.toml").write_text("model =")
    monkeypatch.setenv("TFSPARK_CONFIG", str(tmp_path / "job.toml"))
    with pytest.raises(SystemExit) as ended:
        parsed("--help")
    assert ended.value.code == 0
    assert "--model" in capsys.readouterr().out


def test_a_file_may_begin_with_a_byte_order_mark(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b'\xef\xbb\xbfmodel = "m"\r\nnarrow = false\r\n')
    words = ["--config", str(path), "--input", "i", "--output", "o"]
    assert (parsed(*words).model, parsed(*words).narrow) == ("m", False)
