"""Writes `docs/api.md` from the docstrings of the public names.

Run `python -m tools.api_page` after a change of a public signature or docstring. A test compares
the page with `page()`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tfspark
from tfspark import ml, scoring, streaming, testing
from tfspark.options import ScoreOptions

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"

_HEAD = """# API

Generated from the docstrings. Other modules are internal and can change.
"""
# A section of a Google docstring: its title, then lines that are indented.
_SECTION = re.compile(r"^(?P<title>[A-Z]\w+):\n(?P<body>(?:(?: {4}.*)?\n)*(?: {4}.*)?)", re.M)
# An entry of a section: a name, then text whose further lines are indented more.
_ENTRY = re.compile(r"^(?P<name>\w+): (?P<text>.+(?:\n {4}.+)*)", re.M)
# An annotation, which is kept as a text.
_QUOTED = re.compile(r"(?<=: )'([^']*)'|(?<=-> )'([^']*)'")


def page() -> str:
    """Return the page of the current API."""
    parts = [_HEAD]
    for module in (tfspark, streaming, ml, scoring, testing):
        for name in module.__all__:
            found = getattr(module, name)
            if not inspect.ismodule(found):
                parts.append(_entry(f"{module.__name__}.{name}", found))
    parts.append(_entry("ScoreOptions", ScoreOptions))
    return "\n".join(parts)


def _entry(title: str, found: Any) -> str:
    lines = [f"## {title}", ""]
    if not (inspect.isclass(found) and issubclass(found, Exception)):
        lines += ["```text", _call(title, found), "```", ""]
    lines.append(_markdown(inspect.getdoc(found) or ""))
    if found is tfspark.ModelPackage:
        lines += [*_methods(found), ""]
    return "\n".join(lines)


def _call(title: str, found: Any) -> str:
    """Return the signature with one parameter per line."""
    signature = inspect.signature(found)
    lines = [str(one) for one in signature.parameters.values()]
    kinds = [one.kind for one in signature.parameters.values()]
    if inspect.Parameter.KEYWORD_ONLY in kinds:
        lines.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    given = "".join(f"\n    {line}," for line in lines)
    result = str(signature.replace(parameters=())).removeprefix("()")
    return _QUOTED.sub(r"\1\2", f"{title}({given}\n){'' if inspect.isclass(found) else result}")


def _methods(found: type) -> Iterator[str]:
    for name, method in vars(found).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            summary = (inspect.getdoc(method) or "").partition("\n")[0]
            yield f"- `{name}()`: {summary}"


def _markdown(docstring: str) -> str:
    """Return a docstring with its sections as lists; the examples run in other pages."""
    text = _SECTION.sub(_section, docstring + "\n")
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _section(found: re.Match[str]) -> str:
    body = inspect.cleandoc("\n" + found["body"])
    if found["title"] == "Example":
        return ""
    entries = [f"- `{one['name']}`: {_joined(one['text'])}" for one in _ENTRY.finditer(body)]
    return f"**{found['title']}**\n\n" + "\n".join(entries or [_joined(body)]) + "\n\n"


def _joined(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
