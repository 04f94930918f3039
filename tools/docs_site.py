"""Builds the documentation as a site in `build/docs/site`: `make docs`.

The site has every Markdown file of the repository at the same path, so the links of the pages also
work on the site. Files that a page links to are copied too. The pages load nothing from the
network. Zensical ends with an error if a link or an anchor does not exist.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.markdown_links import ROOT, links, pages

BUILD = ROOT / "build" / "docs"
SETTINGS = ROOT / "docs" / "zensical.toml"

# Elements that a browser loads when it opens a page.
_LOADED = re.compile(r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^>]*>")


def main(zensical: Sequence[str]) -> None:
    """Copy the pages and build the site with the command `zensical`.

    Raises:
        SystemExit: When Zensical fails, or a page would load something from the network.
    """
    shutil.rmtree(BUILD, ignore_errors=True)
    for file in sources():
        target = BUILD / "pages" / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    settings = shutil.copy(SETTINGS, BUILD)
    done = subprocess.run([*zensical, "build", "--strict", "--config-file", settings], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    if found := loaded_from_network(BUILD / "site"):
        sys.exit("The pages load from the network:\n" + "\n".join(found))


def sources() -> set[Path]:
    """Return the pages, and the files that they link to."""
    return {*pages(), *(link.target for page in pages() for link in links(page))}


def loaded_from_network(site: Path) -> list[str]:
    """Return the elements that a browser would load from another host."""
    return [
        f"{page.relative_to(site)}: {element}"
        for page in sorted(site.rglob("*.html"))
        for element in _LOADED.findall(page.read_text("utf-8"))
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
