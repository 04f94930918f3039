"""The READMEs name tests for each promise, and these tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| \*\*(?P<promise>[^*]+)\*\*.+ \| (?P<tests>[^|]+) \|$")
TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)(::(?P<name>\w+))?`")
FEATURES = "Features compared with other libraries"
PAGES = (
    ("README.md", "Promises"),
    ("README.md", FEATURES),
    ("tests/faults/README.md", "The fault matrix"),
)


def chapter(page: str, title: str) -> str:
    text = (ROOT / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("title", ["Promises", FEATURES])
def test_each_promise_and_feature_names_tests(title: str) -> None:
    text = chapter("README.md", title)
    rows = [ROW.match(line) for line in text.splitlines() if line.startswith("| **")]
    assert len(rows) > 5
    for row in rows:
        assert row is not None
        assert TEST.search(row["tests"]), row["promise"]


def test_the_tests_that_are_named_exist() -> None:
    for page, title in PAGES:
        named = list(TEST.finditer(chapter(page, title)))
        assert named, page
        for test in named:
            file = ROOT / test["file"]
            assert file.is_file(), f"{page} names {file}"
            if test["name"]:
                assert f"def {test['name']}(" in file.read_text(), f"{page}: {test[0]}"
