"""The READMEs name tests for each promise, and these tests exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| \*\*(?P<promise>[^*]+)\*\* .+ \| (?P<tests>.+) \|$", re.M)
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)(::(?P<name>\w+))?`")
PAGES = {"README.md": "Promises", "tests/faults/README.md": "The fault matrix"}


def chapter(page: str, title: str) -> str:
    text = (ROOT / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_each_promise_names_tests() -> None:
    rows = ROW.findall(chapter("README.md", "Promises"))
    assert len(rows) > 5
    for promise, tests in rows:
        assert TEST.search(tests), promise


def test_the_tests_that_are_named_exist() -> None:
    for page, title in PAGES.items():
        named = list(TEST.finditer(chapter(page, title)))
        assert named, page
        for test in named:
            file = ROOT / test["file"]
            assert file.is_file(), f"{page} names {file}"
            if test["name"]:
                assert f"def {test['name']}(" in file.read_text(), f"{page}: {test[0]}"
