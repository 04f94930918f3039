"""The command lines, their help and the READMEs agree with the table of flags in jobs/README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from jobs import batch_score, sql_score
from tfspark.cli import score, sql

_HELP = ("h", "help")
ROOT = Path(__file__).parents[2]
CELL = re.compile(r"`(?P<value>[^`]+)`(: .+)?|switch|no: .+")


@dataclass(frozen=True)
class Row:
    """A row of the table; a program without the flag has no value."""

    flag: str
    meaning: str
    values: dict[str, str]


def cells_of(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, or of the first table."""
    text = (ROOT / "jobs" / "README.md").read_text().partition(heading)[2]
    start = text.index("\n|") + 1
    lines = text[start:].partition("\n\n")[0].splitlines()
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
    ]


def table() -> list[Row]:
    head, _, *rows = cells_of("# The job programs")
    found = []
    for flag, meaning, *programs in rows:
        values = {}
        for name, text in zip(head[2:], programs, strict=True):
            cell = CELL.fullmatch(text)
            assert cell, f"{flag}: {name} has neither the flag nor a reason"
            if not text.startswith("no: "):
                values[name.strip("`")] = cell["value"] or ""
        found.append(Row(flag.strip("`"), meaning, values))
    return found


TABLE = table()
JOBS = {"batch_score.py": batch_score, "sql_score.py": sql_score}


@pytest.mark.parametrize(("name", "job"), JOBS.items())
def test_a_program_has_the_flags_of_the_table(name: str, job: ModuleType) -> None:
    found = {
        action.option_strings[-1]: action.metavar or ""
        for action in job.new_parser()._actions
        if action.dest != "help"
    }
    assert found == {row.flag: row.values[name] for row in TABLE if name in row.values}


@pytest.mark.parametrize(("name", "job"), JOBS.items())
def test_the_help_says_what_the_table_says(
    name: str, job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    said = " ".join(job.new_parser().format_help().split())
    for row in TABLE:
        if name in row.values:
            entry = " ".join([row.flag, row.values[name], row.meaning])
            assert " ".join(entry.split()) in said


@pytest.mark.parametrize(("command", "job"), [(score, batch_score), (sql, sql_score)])
def test_a_command_has_the_flags_of_its_job_and_those_of_the_second_table(
    command: ModuleType, job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    _, _, *rows = cells_of("## The commands")
    own = {flag.strip("`"): value.strip("`").replace("switch", "") for flag, _, value in rows}
    actions = {one.option_strings[-1]: one for one in command.new_parser()._actions}
    flags = {name: one.metavar or "" for name, one in actions.items() if one.dest not in _HELP}
    jobs = {one.option_strings[-1]: one.metavar or "" for one in job.new_parser()._actions}
    assert flags == {name: value for name, value in jobs.items() if name != "--help"} | own
    for flag, meaning, _ in rows:
        assert actions[flag.strip("`")].help == meaning


def test_each_flag_has_one_row_and_a_program() -> None:
    flags = [row.flag for row in TABLE]
    assert len(flags) == len(set(flags)) > 30
    assert all(row.values for row in TABLE)


@pytest.mark.parametrize(
    ("page", "chapter"),
    [
        ("docs/bad-rows.md", "In the batch job"),
        *(("docs/batch-job.md", title) for title in ("Columns", "Output")),
        ("scala-bridge/README.md", "The batch job"),
    ],
)
def test_a_page_names_flags_that_exist(page: str, chapter: str) -> None:
    text = (ROOT / page).read_text().partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))
    assert len(named) > 2
    # The options of spark-submit.sh, and `--help`.
    assert named - {"--print", "--help", "--conf"} <= {row.flag for row in TABLE}
