"""`python -m tfspark` from a cold shell: quiet, exact, and without spark-submit."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from tests.shell import ROOT, fresh_environment, run_python
from tools import sample


def run(cwd: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command; its temporary files go to `cwd/tmp`."""
    (cwd / "tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "tfspark", *map(str, words)],
        cwd=cwd,
        env=fresh_environment(PYTHONPATH=str(ROOT), TMPDIR=str(cwd / "tmp"), **environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sample_is_scored_quietly(tmp_path: Path) -> None:
    words = ("--model", sample.MODEL.parent, "--input", sample.ROWS, "--output", "scored")
    done = run(tmp_path, "score", *words)
    assert done.returncode == 0, done.stderr
    said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    assert len(said) < 12, said
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        "rows",
        "rejected",
        "time",
        "engine",
        "output",
    ]
    assert done.stdout.startswith("rows      1,000 scored, 10 with null")
    scored = pq.read_table(tmp_path / "scored").sort_by("id")
    assert scored.select(["id", "city"]).equals(sample.table().select(["id", "city"]))
    assert scored["price"].null_count == 10
    left = [path.name for path in (tmp_path / "tmp").glob("tfspark-*")]
    assert left == [f"tfspark-{os.getuid()}"], "only the models of this node stay"


def test_an_own_table_and_keras_model_are_scored_as_the_pages_say(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "from-keras.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "export.py").write_text("".join(blocks[:2]))  # the model, its file, its export
    exported = run_python(tmp_path, "export.py")
    assert exported.returncode == 0, exported.stderr
    people = 'age,city,note\n40,Rome,\n,Bern,x\n30,,y\n35,Paris,"a, b"\n'
    (tmp_path / "people.csv").write_text(people)
    start = (ROOT / "docs" / "quick-start.md").read_text("utf-8")
    (words,) = re.findall(r"^tfspark (score .*people\.csv.*)$", start, re.M)
    done = run(tmp_path, *shlex.split(words))
    assert done.returncode == 0, done.stderr
    assert len([*done.stdout.splitlines(), *done.stderr.splitlines()]) < 12
    assert done.stdout.startswith("rows      4 scored, 2 with null")
    assert pq.read_table(tmp_path / "people-prices").to_pylist() == [
        {"age": 40, "city": "Rome", "note": None, "price": 41.0},
        {"age": None, "city": "Bern", "note": "x", "price": None},
        {"age": 30, "city": None, "note": "y", "price": None},
        {"age": 35, "city": "Paris", "note": "a, b", "price": 36.0},
    ]


def test_the_log_of_a_failed_run_is_named(tmp_path: Path) -> None:
    words = ("--model", sample.MODEL.parent, "--input-table", "nowhere", "--output", "scored")
    done = run(tmp_path, "score", *words)
    assert done.returncode == 66
    assert "There is no input: table nowhere" in done.stderr
    assert len(done.stderr.splitlines()) < 12
    (log,) = (tmp_path / "tmp").glob("tfspark-*/spark.log")
    assert f"The log of Spark is in {log}" in done.stderr
    assert log.read_text()


def test_a_missing_java_is_told(tmp_path: Path) -> None:
    words = ("--model", sample.MODEL.parent, "--input", sample.ROWS, "--output", "scored")
    done = run(tmp_path, "score", *words, JAVA_HOME=str(tmp_path))
    assert done.returncode == 65
    assert "The JVM of Spark did not start." in done.stderr
    assert "bin/java" in done.stderr
    assert "set JAVA_HOME" in done.stderr
