"""Run the README's blocks in order, in one namespace.

Python blocks run in a folder with `models-out/linear_model` and a session `spark`; SQL blocks run
in that session. A comment directly below a statement is the expected output of the statement.
"""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

from tfspark.testing import save_linear

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|sql)\n(.*?)^```", re.M | re.S)


@pytest.fixture
def workplace(spark, tmp_path, monkeypatch):
    save_linear(tmp_path / "models-out" / "linear_model" / "1")
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("maxBytesPerBatch", "maxRecordsPerBatch"):  # the README tunes the session
        spark.conf.unset(f"spark.sql.execution.arrow.{name}")


def shown_by(node, namespace):
    """Run one statement and return the output that an interpreter would show."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        if isinstance(node, ast.Expr):
            value = eval(compile(ast.Expression(node.value), "README", "eval"), namespace)
            if value is not None:
                print(repr(value))
        else:
            exec(compile(ast.Module([node], []), "README", "exec"), namespace)
    return output.getvalue().rstrip().splitlines()


def comment_below(lines, node):
    """Return the lines of the comment directly after a statement."""
    below = []
    for line in lines[node.end_lineno :]:
        if not line.startswith("# "):
            break
        below.append(line.removeprefix("# "))
    return below


def test_the_readme_shows_what_happens(spark, workplace):
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert blocks
    namespace = {"spark": spark}
    for language, text in blocks:
        if language == "sql":
            for statement in filter(str.strip, text.split(";")):
                spark.sql(statement).collect()
            continue
        for node in ast.parse(text).body:
            shown = shown_by(node, namespace)
            expected = comment_below(text.splitlines(), node)
            if expected:
                assert shown == expected


def test_a_comment_below_a_statement_is_what_it_shows():
    text = "x = 2\nx + 1\n# 3\nprint(x)\n# 2\n\n# a remark\ny = x"
    namespace = {}
    nodes = ast.parse(text).body
    shown = [(shown_by(one, namespace), comment_below(text.splitlines(), one)) for one in nodes]
    assert shown == [([], []), (["3"], ["3"]), (["2"], ["2"]), ([], [])]
