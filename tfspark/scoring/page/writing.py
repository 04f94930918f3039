"""Renders a report as HTML, and writes the page. Driver.

All text of a report comes from outside: names of models and columns, values of rows, messages.
Jinja2 escapes this text, and control characters are printed as escapes. The content security policy
of the page allows its own style sheet and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfspark.errors import OutputExistsError, UsageError, explain
from tfspark.scoring.page.view import view_of
from tfspark.scoring.whole_file import write_whole

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE, _STYLE = "page.html", "page.css"
# The template has it near the beginning.
_MARK = b'<meta name="generator" content="tfspark">'
# Pages of older versions have only their title.
_TITLE = re.compile(rb"<title>[^<]*: \S+ rows (scored|written)[^<]*</title>")
HEAD = 4096


class NoTemplatesError(UsageError):
    """Jinja2 is not installed."""


def page_beside(report: str) -> str:
    """Return the path of the page of a report: `out.json` → `out.html`."""
    return f"{report.removesuffix('.json')}.html"


def head_of(place: Path) -> bytes:
    """Return the first `HEAD` bytes of a local file; nothing for folders and pipes."""
    if not place.is_file():
        return b""
    with place.open("rb") as stream:
        return stream.read(HEAD)


def refuse_other_page(place: str, head: bytes, flag: str) -> None:
    """Refuse to replace a file that has content and is not the page of a report.

    Args:
        place: Its path.
        head: Its first `HEAD` bytes.
        flag: The flag with which the user can choose another path.

    Raises:
        OutputExistsError: When tfspark did not write it.
    """
    if head and _MARK not in head[:HEAD] and not _TITLE.search(head[:HEAD]):
        raise OutputExistsError(
            explain(
                f"The page of the report would replace {place}.",
                expected="no file there, or the page of an earlier report",
                found="another file",
                hint=f"choose another {flag}, or move this file.",
            )
        )


def can_write_pages() -> bool:
    """Whether Jinja2 is installed."""
    return find_spec("jinja2") is not None


def page_of(report: Mapping[str, Any]) -> str:
    """Return the page of a report as HTML.

    Args:
        report: The JSON report of a job. Facts that it lacks are left out.

    Raises:
        NoTemplatesError: When Jinja2 is not installed.
    """
    if not can_write_pages():
        raise NoTemplatesError(
            explain(
                "The page of the report was not written, because a package is not installed.",
                expected="jinja2",
                hint="pip install 'jinja2>=3.1.6', on the driver only.",
            )
        )
    template, style, digest = _template()
    return template.render(view_of(report), style=style, style_digest=digest)


@cache
def _template() -> tuple[Template, str, str]:
    """Return the template, its style and the digest of the style, after a compilation of 25 ms."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = resources.files(__package__)
    texts = {name: (folder / name).read_text("utf-8") for name in (_TEMPLATE, _STYLE)}
    environment = Environment(
        loader=DictLoader(texts),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = texts[_STYLE]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(_TEMPLATE), style, digest


def write_page(report: Mapping[str, Any], path: str | Path) -> None:
    """Write the page of a report to a local file.

    Args:
        report: The JSON report of a job.
        path: The file; an existing file is replaced.

    Raises:
        NoTemplatesError: When Jinja2 is not installed.
        OSError: When the file cannot be written.
    """
    write_whole(Path(path), page_of(report))
