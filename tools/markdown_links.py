"""Finds the links and the anchors of the Markdown files of the repository.

It ignores links in blocks of code. It makes anchors from headings as GitHub and Zensical do: lower
case, without punctuation, a hyphen for each space.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[1]

_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)|<img [^>]*src=\"(?P<image>[^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.M)


class Link(NamedTuple):
    """A link to a file of the repository."""

    page: Path
    target: Path
    anchor: str


def pages() -> list[Path]:
    """Return the Markdown files of the repository."""
    return tracked("*.md")


def tracked(*patterns: str) -> list[Path]:
    """Return the files of the repository that match Git's patterns, new ones included."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in sorted(names.splitlines()) if (ROOT / name).is_file()]


def links(page: Path) -> Iterator[Link]:
    """Yield the links of a page to files of the repository."""
    for found in _LINK.finditer(_prose(page)):
        target, _, anchor = (found["target"] or found["image"]).partition("#")
        if ":" not in target:
            file = (page.parent / unquote(target)).resolve() if target else page
            yield Link(page, file, unquote(anchor))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    return {_slug(heading) for heading in headings}


def problems() -> Iterator[str]:
    """Yield each link to a file or an anchor that does not exist."""
    for page in pages():
        for link in links(page):
            named = f"{page.relative_to(ROOT)} links to {link.target.name}#{link.anchor}"
            if not link.target.is_file():
                yield f"{named}: there is no such file"
            elif link.anchor and link.anchor not in anchors(link.target):
                yield f"{named}: there is no such heading"


def _prose(page: Path) -> str:
    return _CODE.sub("", _FENCE.sub("", page.read_text("utf-8")))


def _slug(heading: str) -> str:
    text = re.sub(r"\]\([^)]*\)", "]", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
