"""Checks the notebooks without running them; `make notebooks` runs them."""

import json
import re
from pathlib import Path

import pytest

from tools.notebook_outputs import problems

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text("utf-8"))


def test_there_are_eight():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(1, 9)]


def test_outputs_are_stripped(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_it_begins_with_a_title_and_shows_a_picture(notebook):
    first, *_ = notebook["cells"]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
    assert any("plt.subplots" in "".join(cell["source"]) for cell in notebook["cells"])


def test_every_notebook_is_listed():
    listed = re.findall(r"\((\d\d\w+\.ipynb)\)", (FOLDER / "README.md").read_text("utf-8"))
    assert listed == [path.name for path in NOTEBOOKS]


@pytest.mark.parametrize(
    ("stream", "line"),
    [
        ("stderr", "anything"),
        ("stdout", "WARNING:tensorflow:load is deprecated"),
        ("stdout", "26/11/28 00:00:00 WARN Utils: a different address"),
        ("stdout", "\tat org.apache.spark.rdd.RDD.iterator(RDD.scala:328)"),
        ("stdout", "UserWarning: something"),
    ],
)
def test_a_line_that_a_reader_should_not_see_is_found(stream, line):
    assert list(problems(executed(stream, f"answer 3\n{line}\n")))[-1:] == [line]


def test_answers_are_no_problem_but_a_notebook_that_did_not_run_is():
    assert list(problems(executed("stdout", "exit code 73\nerror: the output exists\n"))) == []
    assert list(problems({"cells": []})) == ["it was not executed"]


def executed(stream, text):
    output = {"output_type": "stream", "name": stream, "text": text.splitlines(keepends=True)}
    return {"cells": [{"cell_type": "code", "execution_count": 1, "outputs": [output]}]}
