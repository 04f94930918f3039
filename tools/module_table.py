"""Writes the table of modules in `tfspark/README.md` from the layers and the modules' docstrings.

Run `python tools/module_table.py` after a change of the layers in `pyproject.toml`, or of the first
line of a module docstring: its last sentence says where the module runs. A test compares the page
with `page()`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from importlinter import api

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "tfspark" / "README.md"
BEGIN, END = "<!-- modules -->", "<!-- end of modules -->"

_FIRST_LINE = re.compile(r"(.+?)\. (Driver|Executor|Driver and executor|Tests)\.")
_GENERATED = "_pb2"


def page() -> str:
    """Return the design note with the table of the current modules."""
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def table() -> str:
    """Return the table of the modules; a module may import only modules above it."""
    rows = (f"| `{name}` | {purpose} | {place} |" for name, purpose, place in modules())
    return "\n".join(["| module | purpose | runs on |", "|---|---|---|", *rows])


def modules() -> Iterator[tuple[str, str, str]]:
    """Yield name, purpose and place of each module of the layers, the lowest layer first.

    The folders inside a package follow the package.
    """
    for layer in reversed(_layers()):
        for name in layer.split(" | "):
            folder = ROOT / "tfspark" / name
            if folder.is_dir():
                yield _row(f"{name}/", folder / "__init__.py")
                for file in sorted(folder.glob("*/__init__.py")):
                    yield _row(f"{name}/{file.parent.name}/", file)
            elif not name.endswith(_GENERATED):
                yield _row(name, folder.with_suffix(".py"))


def _row(name: str, file: Path) -> tuple[str, str, str]:
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    found = _FIRST_LINE.fullmatch(docstring.partition("\n")[0])
    if found is None:
        expected = "a purpose, then Driver., Executor., Driver and executor. or Tests."
        raise ValueError(f"{file}: the first line of the docstring needs {expected}")
    return name, found[1], found[2].lower()


def _layers() -> list[str]:
    contracts = api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    layers: list[str] = next(found["layers"] for found in contracts if found["id"] == "layers")
    return layers


if __name__ == "__main__":
    README.write_text(page(), "utf-8")
