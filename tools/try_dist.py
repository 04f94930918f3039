"""Follows the start of the README with the wheel of `dist/` in a clean environment.

`make try-dist` runs the commands and programs in the chapter "Start" of the README, in their order,
and compares their output with the README. Only seconds, rates and the ids of runs may differ. Then
it tries the parts of the package that this chapter leaves out. Prints each step with its time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "README.md"
CHAPTER = "Start"

_BLOCK = re.compile(r"^```(bash|python|text)\n(.*?)^```$", re.M | re.S)
# The parts of an output that differ between runs: seconds, rows per second, and the id of a run.
_VARIES = re.compile(r"[\d.,]+(?= s\b| rows/s)|\d{8}-\d{6}-[0-9a-f]{8}")
# Steps that the chapter leaves out: the extras `report` and `cli`, and a command without Spark.
_MORE = """
pip install ".[report,cli]"
tfspark inspect tfspark-demo/model
tfspark report scored/_tfspark_report_*.json --output page.html
grep -q "1.000 rows scored" page.html
tfspark completion bash
"""


class TryError(Exception):
    """A step of the README failed, or its output differs."""


@dataclass(frozen=True)
class Step:
    """A command or a program, and what it shows.

    Attributes:
        text: The command, or the Python program.
        shown: The expected lines; `None` if the README does not show them.
        is_python: Whether it is a program.
    """

    text: str
    shown: Sequence[str] | None = None
    is_python: bool = False


def steps_of(page: str, chapter: str = CHAPTER) -> list[Step]:
    """Return the steps of a chapter.

    A `bash` block has commands. In a `text` block, commands follow `$` and show the lines below.
    The comments of a `python` block are what the program shows.
    """
    text = page.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    found: list[Step] = []
    for language, block in _BLOCK.findall(text):
        if language == "python":
            shown = [line[2:] for line in block.splitlines() if line.startswith("# ")]
            found.append(Step(block, shown, is_python=True))
        elif language == "bash":
            found += map(Step, _commands(block))
        else:
            found += _transcript(block)
    return found


def _commands(block: str) -> Iterator[str]:
    lines = re.sub(r"(^|\s+)#.*", "", block.replace("\\\n", " "), flags=re.M).splitlines()
    return filter(None, map(str.strip, lines))


def _transcript(block: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, *shown = part.rstrip().splitlines()
        yield Step(command, shown)


def same(shown: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether two outputs are equal, apart from empty lines, seconds, rates and the ids of runs."""
    one, other = (
        _VARIES.sub("…", "\n".join(filter(str.strip, lines))) for lines in (shown, expected)
    )
    return one == other


def run(step: Step, place: Path, variables: Mapping[str, str]) -> list[str]:
    """Run a step in a folder and return the lines that it prints.

    Raises:
        TryError: It failed, or its output differs from the README.
    """
    words = ["python", "-c", step.text] if step.is_python else ["bash", "-ec", step.text]
    done = subprocess.run(
        words, cwd=place, env=variables, capture_output=True, text=True, check=False
    )
    # The README leaves out the folder in which its reader works.
    said = done.stdout.replace(f"{place}/", "")
    lines = [line.rstrip() for line in said.rstrip().splitlines()]
    if done.returncode:
        raise TryError(f"exit code {done.returncode}: {step.text}\n{done.stdout}{done.stderr}")
    if step.shown is not None and not same(lines, step.shown):
        texts = ("\n".join(step.shown), "\n".join(lines))
        raise TryError("{}\nThe README shows:\n{}\nThis was shown:\n{}".format(step.text, *texts))
    return lines


def main(dist: Path = ROOT / "dist") -> int:
    """Follow the README with the wheel of a folder; return the exit code."""
    wheels = sorted(dist.glob("tfspark-*.whl"))
    if len(wheels) != 1:
        print(f"try-dist: {dist} has {len(wheels)} wheels; run make dist first", file=sys.stderr)
        return 2
    steps = [*steps_of(PAGE.read_text("utf-8")), *map(Step, _commands(_MORE))]
    with tempfile.TemporaryDirectory(prefix="tfspark-try-") as folder:
        place, began = Path(folder).resolve(), time.perf_counter()
        variables = environment(place)
        for step in steps:
            started = time.perf_counter()
            # The README installs the clone.
            step = Step(step.text.replace('".[', f'"{wheels[0]}['), step.shown, step.is_python)
            print(f"$ {step.text.rstrip()}", flush=True)
            try:
                shown = run(step, place, variables)
            except TryError as error:
                print(f"try-dist: {error}", file=sys.stderr)
                return 1
            print("\n".join([*shown[-20:], f"# {time.perf_counter() - started:.0f} s\n"]))
        cpu = os.times()
        spent = cpu.children_user + cpu.children_system
        print(f"the wheel works: {time.perf_counter() - began:.0f} s, {spent:.0f} s of CPU time")
    return 0


def environment(place: Path) -> dict[str, str]:
    """Create an environment with only pip; return the variables that activate it."""
    venv.create(place / "env", with_pip=True)
    foreign = ("PYTHON", "SPARK_", "PYSPARK_", "VIRTUAL_ENV", "MASTER", "TFSPARK_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PATH": f"{place / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
