"""Checks a release before it is built and after, and prints its notes.

    python tools/release.py version       print the version
    python tools/release.py check [TAG]   version, changelog and tag agree
    python tools/release.py notes         print the section of the version in CHANGELOG.md
    python tools/release.py stamp BOM     write the version into a bill of materials of cyclonedx-py
    python tools/release.py finish DIST   check the files of `make dist`; write SHA256SUMS

The version is in tfspark/__init__.py only: pyproject.toml and scala-bridge/build.sbt read it there.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"
# The files that a wheel must have besides the modules.
WANTED = (
    "tfspark/py.typed",
    "tfspark/cli/sample/homes.parquet",
    "tfspark/cli/sample/model/1/saved_model.pb",
    "tfspark/operations/allowed.txt",
    "tfspark/scoring/page/page.html",
)


class ReleaseError(Exception):
    """The release cannot be made; the message says what to change."""


def version() -> str:
    """Return the version of this checkout."""
    text = (ROOT / "tfspark" / "__init__.py").read_text("utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)"$', text, re.MULTILINE)
    if found is None:
        raise ReleaseError("tfspark/__init__.py has no __version__ such as 1.2.3 or 1.2.3rc1")
    return found[1]


def notes(number: str, changelog: str) -> str:
    """Return the section of a version; the heading has a date.

    Raises:
        ReleaseError: When there is no such section, or it is empty.
    """
    head = re.compile(rf"^## \[{re.escape(number)}\] - \d{{4}}-\d\d-\d\d\n", re.MULTILINE)
    found = head.search(changelog)
    if found is None:
        raise ReleaseError(f"CHANGELOG.md has no line '## [{number}] - YYYY-MM-DD'")
    section = changelog[found.end() :].partition("\n## ")[0].strip()
    if not section:
        raise ReleaseError(f"CHANGELOG.md says nothing about {number}")
    return f"{section}\n"


def check(tag: str | None) -> str:
    """Refuse a tag of another version, or a version without notes; return the version."""
    number = version()
    if tag not in (None, f"v{number}"):
        raise ReleaseError(f"the tag is {tag}, but the version is {number}: expected v{number}")
    notes(number, (ROOT / "CHANGELOG.md").read_text("utf-8"))
    return number


def stamp(bom: Path) -> None:
    """Write the version into a bill of materials, because pyproject.toml has none to read."""
    document = json.loads(bom.read_text("utf-8"))
    document["metadata"]["component"]["version"] = version()
    bom.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def finish(dist: Path) -> str:
    """Check the files of a release, and write their digests.

    Raises:
        ReleaseError: When a file is missing or from another version, or the wheel is incomplete.
    """
    number = version()
    wheel = _only(dist, f"tfspark-{number}-py3-none-any.whl", "tfspark-*.whl")
    source = _only(dist, f"tfspark-{number}.tar.gz", "tfspark-*.tar.gz")
    jar = f"tfspark-bridge_2.13-{number}"
    _only(dist, f"{jar}-thin.jar", "*-thin.jar")
    _only(dist, f"{jar}-*64.jar", "*64.jar")
    _only(dist, "tfspark.cdx.json", "tfspark.cdx.json")
    _only(dist, "tfspark-bridge.cdx.json", "tfspark-bridge.cdx.json")
    with zipfile.ZipFile(wheel) as opened:
        _refuse_missing(wheel, set(opened.namelist()), "")
    with tarfile.open(source) as opened_source:
        _refuse_missing(source, set(opened_source.getnames()), f"tfspark-{number}/")
    files = sorted(file for file in dist.iterdir() if file.name != SUMS and file.name[0] != ".")
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (dist / SUMS).write_text("".join(lines), "utf-8")
    return "".join(lines)


def _only(dist: Path, wanted: str, alike: str) -> Path:
    found = sorted(dist.glob(alike))
    if len(found) != 1 or not found[0].match(wanted):
        names = ", ".join(file.name for file in found) or "nothing"
        raise ReleaseError(f"{dist}: expected only {wanted}, found {names}; run make dist again")
    return found[0]


def _refuse_missing(archive: Path, names: set[str], prefix: str) -> None:
    missing = [name for name in WANTED if f"{prefix}{name}" not in names]
    if missing:
        raise ReleaseError(f"{archive} lacks {', '.join(missing)}")


def main(words: Sequence[str]) -> int:
    """Run one of the commands; return the exit code."""
    try:
        match words:
            case ["version"]:
                print(version())
            case ["check"] | ["check", _]:
                print(check(words[1] if len(words) > 1 else None))
            case ["notes"]:
                print(notes(version(), (ROOT / "CHANGELOG.md").read_text("utf-8")), end="")
            case ["stamp", bom]:
                stamp(Path(bom))
            case ["finish", dist]:
                print(finish(Path(dist)), end="")
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
