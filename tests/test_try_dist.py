"""`make try-dist` follows the README; these tests read its steps, but install nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tools import try_dist

PAGE = """# x

## Start

```bash
mkdir made   # a comment
touch made/a \\
    made/b
```
```text
$ ls made
a
b
$ echo took 0.8 s, 1,297 rows/s, run 20261126-164437-3f33de11
took 9.1 s, 88 rows/s, run 20270101-000000-00000000
```
```python
print("one")
# one
```
```text
of no command
```

## Next

```bash
false
```
"""


def run_all(page: str, place: Path) -> None:
    for step in try_dist.steps_of(page):
        try_dist.run(step, place, dict(os.environ))


def test_the_steps_of_a_page_show_what_the_page_says(tmp_path: Path) -> None:
    assert len(try_dist.steps_of(PAGE)) == 5
    run_all(PAGE, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("\nb\n$", "\n$", "The README shows:"),
        ("# one", "# two", "This was shown:\none"),
        ("run 2027", "at 2027", "The README shows:"),
        ("mkdir made", "mkdir a/b", "exit code 1: mkdir a/b"),
    ],
)
def test_another_output_is_an_error(old: str, new: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(try_dist.TryError, match=problem):
        run_all(PAGE.replace(old, new), tmp_path)


def test_the_readme_goes_from_the_installation_to_the_own_model() -> None:
    steps = try_dist.steps_of(try_dist.PAGE.read_text("utf-8"))
    texts = [step.text for step in steps]
    assert texts[:2] == ['pip install ".[spark,tf-cpu]"', "tfspark demo"]
    shown = [step.text for step in steps if step.shown]
    assert any("tfspark.predict(" in text for text in shown)
    (own,) = (text for text in shown if "--input-format csv" in text)
    model = own.split("--model ")[1].split()[0]
    assert any(f'.export("{model}/' in text for text in texts)


def test_the_chinese_readme_has_the_same_steps() -> None:
    english, chinese = (
        try_dist.steps_of((try_dist.ROOT / page).read_text("utf-8"), chapter)
        for page, chapter in (("README.md", "Start"), ("README.zh-CN.md", "快速开始"))
    )
    assert chinese == english
