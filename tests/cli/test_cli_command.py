"""The command `tfspark`: help, unknown names, and what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SAMPLE
from tfspark import __version__
from tfspark.cli.command import COMMANDS

HEAVY = {"pyspark", "tensorflow", "pandas", "pyarrow", "numpy"}


def test_help_lists_every_command(run: Any) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        ended = run(*words)
        assert ended.code == 0
        assert all(f"  {name} " in ended.stdout for name in COMMANDS)
    assert run("--version").stdout == f"tfspark {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_short_and_full_help(name: str, run: Any) -> None:
    short, full = run(name, "-h"), run(name, "--help")
    assert (short.code, full.code) == (0, 0)
    assert short.stdout.startswith(f"usage: tfspark {name}")
    assert "Exit codes:" in full.stdout
    flags = {
        word
        for action in import_module(f"tfspark.cli.{COMMANDS[name][0]}").new_parser()._actions
        for word in action.option_strings
        if word.startswith("--")
    } - {"--help"}
    lines = [line.split()[0] for line in short.stdout.splitlines() if line.startswith("  --")]
    assert set(lines) == flags
    assert max(map(len, short.stdout.splitlines())) <= 120


def test_an_unknown_command_gets_a_suggestion(run: Any) -> None:
    ended = run("scor")
    assert ended.code == 2
    assert "There is no command scor." in ended.error
    assert "Did you mean 'score'?" in ended.error


@pytest.mark.parametrize("words", [["--help"], ["score", "-h"], ["sql", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "tfspark", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tfspark.cli.command" in names
    assert not names & HEAVY


def test_completion_knows_commands_and_flags(run: Any) -> None:
    pytest.importorskip("shtab")
    for shell in ("bash", "zsh"):
        ended = run("completion", shell)
        assert ended.code == 0
        assert "--input-format" in ended.stdout
        assert "recover" in ended.stdout


def test_completion_without_its_package(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    ended = run("completion", "bash")
    assert ended.code == 2
    assert "pip install shtab" in ended.error


def test_lint_lists_nothing_for_a_model_that_computes(run: Any) -> None:
    ended = run("lint", SAMPLE / "model")
    assert (ended.code, ended.stdout) == (0, "no operation does more than compute\n")


def test_lint_lists_operations(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfspark.cli import lint_model
    from tfspark.operations import Finding

    found = [Finding("ReadFile", "files", "read", ""), Finding("WriteFile", "files", "write", "f")]
    monkeypatch.setattr(lint_model, "lint", lambda *_: found)
    ended = run("lint", "m", "--allow-ops", "ReadFile")
    assert ended.code == 65
    assert ended.stdout == "WriteFile in node 'write' of 'f' touches files\n"
    assert "1 operation does more than compute" in ended.error
    assert "--allow-ops WriteFile" in ended.error


def test_a_report_gets_its_page(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    account = {"job": "batch_score", "run": "r", "started": "2026-01-02T03:04:05", "rows_out": 1234}
    (tmp_path / "report.json").write_text(json.dumps(account))
    ended = run("report", "report.json")
    assert (ended.code, ended.stdout) == (0, "report.html\n"), ended.error
    assert "1 234" in (tmp_path / "report.html").read_text().replace("\u202f", " ")


def test_a_page_replaces_only_a_page(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    (tmp_path / "report.json").write_text('{"rows_out": 1}')
    assert [run("report", "report.json").code for _ in range(2)] == [0, 0]
    page = tmp_path / "report.html"
    mark = '<meta name="generator" content="tfspark">'  # older versions did not write it
    page.write_text(page.read_text("utf-8").replace(mark, ""), "utf-8")
    assert run("report", "report.json").code == 0
    page.write_text("<html>mine</html>")
    ended = run("report", "report.json")
    assert ended.code == 73
    assert "The page of the report would replace report.html." in ended.error
    assert page.read_text() == "<html>mine</html>"
    assert run("report", "report.json", "--output", "report.html").code == 0


def test_a_report_with_other_facts_is_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"rows_out": 1, "statistics": {"outputs": {"y": {}}}}')
    ended = run("report", "r.json")
    assert ended.code == 65
    assert "r.json is not a report" in ended.error
