"""The commands in `examples/`, as lists of words."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
# The lists of words in JSON, for programs and for spark-submit.
_ARGUMENTS = ("args", "entryPointArguments", "parameters")
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.M | re.S)
_FLOW = re.compile(r"^ *arguments: (\[.*?\])", re.M | re.S)


def files(*endings: str) -> list[Path]:
    """Return the files of the examples with one of these endings."""
    return sorted(path for path in EXAMPLES.rglob("*") if path.name.endswith(endings))


def spark_submits() -> Iterator[tuple[str, list[str]]]:
    """Yield the file and the words of each call of spark-submit, without `spark-submit`."""
    for path in files(".sh"):
        for words in _commands(path.read_text("utf-8")):
            if words[0] == "spark-submit":
                yield _name(path), words[1:]
    for path in files(".json"):
        for key, value in _entries(json.loads(path.read_text("utf-8"))):
            if key == "Args":
                assert value[0] == "spark-submit"
                yield _name(path), value[1:]
            elif key == "sparkSubmitParameters":
                yield _name(path), [*shlex.split(value), "job.py"]


def job_arguments() -> Iterator[tuple[str, list[str]]]:
    """Yield the file and the arguments of each job of the examples."""
    for name, words in spark_submits():
        job = next(at for at, word in enumerate(words) if word.endswith(".py"))
        if words[job + 1 :]:
            yield name, words[job + 1 :]
    for ending, arguments_in in _OF_KIND.items():
        for path in files(ending):
            for words in arguments_in(path.read_text("utf-8")):
                yield _name(path), words


def _in_script(script: str) -> Iterator[list[str]]:
    for words in _commands(script):
        if words[:2] == ["tfspark", "score"]:
            yield words[2:]


def _in_page(page: str) -> Iterator[list[str]]:
    """Yield the arguments after `--` of the commands in the blocks."""
    for block in _BLOCK.findall(page):
        for words in _commands(block):
            if "--" in words:
                yield words[words.index("--") + 1 :]


def _in_json(text: str) -> Iterator[list[str]]:
    for key, value in _entries(json.loads(text)):
        if key in _ARGUMENTS:
            yield value


def _in_yaml(text: str) -> Iterator[list[str]]:
    """Yield the lists in YAML's flow style, which are JSON."""
    for found in _FLOW.findall(text):
        yield json.loads(found)


def _in_program(program: str) -> Iterator[list[str]]:
    """Yield the arguments of the operators of Airflow."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.keyword) and node.arg == "application_args":
            values = ast.walk(node.value)
            yield [str(one.value) for one in values if isinstance(one, ast.Constant)]


_OF_KIND: Mapping[str, Callable[[str], Iterator[list[str]]]] = {
    ".sh": _in_script,
    ".md": _in_page,
    ".json": _in_json,
    ".yaml": _in_yaml,
    ".py": _in_program,
}


def _name(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def _commands(script: str) -> Iterator[list[str]]:
    """Yield the commands of a script, without assignments before them."""
    lines = script.replace("\\\n", " ").splitlines()
    values = dict(re.findall(r"^(\w+)=(\S+)$", script, re.M))
    for line in lines:
        replaced = re.sub(r"\$(\w+)", lambda found: values.get(found[1], found[0]), line)
        words = shlex.split(re.sub(r"(^|\s)#.*", "", replaced))
        while words and re.match(r"\w+=", words[0]):
            del words[0]
        if words:
            yield words


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key and value of nested objects."""
    if isinstance(value, list):
        for one in value:
            yield from _entries(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key, one
            yield from _entries(one)
