"""The pages agree with the code: links, generated parts, commands, and texts of errors."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tfspark.cli.command import COMMANDS
from tools import api_page, docs_site, markdown_links, type_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = re.compile(r"^```bash\n(.*?)^```$", re.M | re.S)
MESSAGE = re.compile(r"^\| `(.+?)` \| .+ \|$", re.M)
OPTIONS_OF_SPARK = {"--archives", "--conf", "--deploy-mode", "--master", "--packages", "--print"}
FLAGS = re.findall(r"^\| `(--[a-z0-9-]+)`", (ROOT / "jobs" / "README.md").read_text("utf-8"), re.M)


def test_all_links_of_the_repository_resolve() -> None:
    assert list(markdown_links.problems()) == []


def test_links_and_anchors_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b`: c, d-e\n[x](other.md#top) [y](https://example.org) ![z](z.png) `[no](no.md)`\n"
        "```\n# no heading\n[no](no.md)\n```\n[here](#a-b-c-d-e)\n"
    )
    found = [(link.target.name, link.anchor) for link in markdown_links.links(page)]
    assert found == [("other.md", "top"), ("z.png", ""), ("page.md", "a-b-c-d-e")]
    assert markdown_links.anchors(page) == {"a-b-c-d-e"}


@pytest.mark.parametrize("tool", [type_table, api_page], ids=lambda tool: tool.__name__)
def test_a_generated_page_is_up_to_date(tool: ModuleType) -> None:
    command = f"python -m {tool.__name__}"
    assert tool.PAGE.read_text("utf-8") == tool.page(), f"run: {command}"


def test_every_page_is_in_the_index_and_in_the_menu_of_the_site() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    index = {link.target.name for link in markdown_links.links(ROOT / "docs" / "README.md")}
    menu = re.findall(r'"docs/([\w-]+\.md)"', docs_site.SETTINGS.read_text("utf-8"))
    assert pages - index == set()
    assert pages - set(menu) == set()


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a shell block, with its page, and without variables before it."""
    for page in PAGES:
        for block in SHELL.findall(page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(re.sub(r"(^|\s)#.*", "", line))
                while words and re.match(r"\w+=", words[0]):
                    del words[0]
                if words:
                    yield page.name, words


def is_tracked(path: str) -> bool:
    return Path(path) in {file.relative_to(ROOT) for file in markdown_links.tracked(path)}


@pytest.mark.parametrize(
    ("page", "words"), [pytest.param(*one, id=" ".join(one[1])[:60]) for one in commands()]
)
def test_a_shell_command_names_what_exists(page: str, words: list[str]) -> None:
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(rest) <= set(targets)
    elif program == "./spark-submit.sh":
        job = next(word for word in rest if word.endswith((".py", ".jar")))
        assert is_tracked(job)
        flags = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert flags <= OPTIONS_OF_SPARK.union(FLAGS)
    elif program == "tfspark":
        parser = import_module(f"tfspark.cli.{COMMANDS[rest[0]][0]}").new_parser()
        flags = {word.partition("=")[0] for word in rest if word.startswith("-")}
        assert flags <= parser._option_string_actions.keys()
    elif rest[:1] == ["-m"]:
        assert find_spec(rest[1]), f"{page} runs {rest[1]}"
    elif words[:2] == ["pip", "install"] and "[" in rest[1]:
        declared = re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(), re.M)
        assert set(rest[1].partition("[")[2].rstrip("]").split(",")) <= set(declared)


def messages() -> set[str]:
    """Return the texts in the code of tfspark, with … in place of each value."""
    found = set()
    for file in (ROOT / "tfspark").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "…" for part in node.values
                )
                found.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_the_messages_of_the_troubleshooting_are_those_of_the_code() -> None:
    listed = MESSAGE.findall((ROOT / "docs" / "troubleshooting.md").read_text("utf-8"))
    assert len(listed) > 30
    assert set(listed) - messages() == set()


def test_a_page_that_loads_from_the_network_is_found(tmp_path: Path) -> None:
    (tmp_path / "own.html").write_text('<script src="a.js"></script><a href="https://example.org">')
    loads = '<link rel="stylesheet" href="//example.org/a.css">'
    (tmp_path / "other.html").write_text(f"<p>{loads}")
    assert docs_site.loaded_from_network(tmp_path) == [f"other.html: {loads}"]
