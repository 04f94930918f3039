"""Run the blocks of the READMEs and of `docs/` in order, in one namespace for each page.

Python blocks run in a folder with `models-out/linear_model`, the sample of `tfspark demo`, and a
session `spark`; SQL blocks run in that session. A comment directly below a statement is the
expected output of the statement. The pages of `docs/` begin with the names of the quick start. A
block below a comment `not run` is only parsed.
"""

import ast
import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import SAMPLE
from tfspark.testing import save_linear

ROOT = Path(__file__).parents[1]
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
DOCS = sorted((ROOT / "docs").glob("*.md"))
START = ROOT / "docs" / "quick-start.md"
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n)?^```(?P<language>python|sql)\n(?P<text>.*?)^```$",
    re.M | re.S,
)


def blocks_of(page):
    """Return the language and the text of the blocks that run; the others have to be Python."""
    found = []
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if not block["skip"]:
            found.append((block["language"], block["text"]))
        elif block["language"] == "python":
            ast.parse(block["text"])
    return found


@pytest.fixture(scope="module")
def workplace(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    save_linear(folder / "models-out" / "linear_model" / "1")
    shutil.copytree(SAMPLE, folder / "tfspark-demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
    for name in ("maxBytesPerBatch", "maxRecordsPerBatch"):  # a page tunes the session
        spark.conf.unset(f"spark.sql.execution.arrow.{name}")
    for name in ("tfpredict", "price"):
        spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {name}")
    spark.catalog.dropTempView("t")


@pytest.fixture(scope="module")
def started(spark, workplace):
    """The names that the quick start defines, such as `df` and `model`."""
    return run(START, {"spark": spark})


def run(page, namespace):
    """Run the blocks of a page, compare what they show, and return their names."""
    for language, text in blocks_of(page):
        if language == "sql":
            for statement in filter(str.strip, text.split(";")):
                namespace["spark"].sql(statement).collect()
            continue
        # The JVM of the shared session has another working directory.
        text = text.replace('read.parquet("', f'read.parquet("{Path.cwd()}/')
        for node in ast.parse(text).body:
            shown = shown_by(node, namespace)
            expected = comment_below(text.splitlines(), node)
            if expected:
                assert shown == expected
    return namespace


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


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.stem)
def test_a_readme_shows_what_happens(page, spark, workplace):
    assert blocks_of(page)
    run(page, {"spark": spark})


@pytest.mark.parametrize(
    "page", [page for page in DOCS if page != START and blocks_of(page)], ids=lambda page: page.stem
)
def test_a_page_shows_what_happens(page, started):
    run(page, dict(started))


def test_a_comment_below_a_statement_is_what_it_shows():
    text = "x = 2\nx + 1\n# 3\nprint(x)\n# 2\n\n# a remark\ny = x"
    namespace = {}
    nodes = ast.parse(text).body
    shown = [(shown_by(one, namespace), comment_below(text.splitlines(), one)) for one in nodes]
    assert shown == [([], []), (["3"], ["3"]), (["2"], ["2"]), ([], [])]
