"""The wheel and the source archive, the notes of a release, and the files of a public forge."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import tfspark
from tools import release

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / ".github" / "actions" / "setup" / "action.yml"
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
CHANGES = "\n## [Unreleased]\n\n## [0.2.0] - 2026-01-02\n\n- New.\n\n## [0.1.0] - 2026-01-01\n"


def test_a_wheel_has_the_command_the_sample_and_all_data(tmp_path: Path) -> None:
    """It is built from a copy, because a build writes into its folder."""
    copy = tmp_path / "copy"
    shutil.copytree(
        ROOT / "tfspark", copy / "tfspark", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = "from setuptools.build_meta import build_wheel as b; b('..')"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"tfspark-{tfspark.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        (entries,) = (name for name in names if name.endswith("entry_points.txt"))
        assert "tfspark = tfspark.cli.command:main" in opened.read(entries).decode()
    tracked = subprocess.run(
        ["git", "ls-files", "tfspark"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert {name for name in tracked if not name.endswith(".md")} <= names
    assert set(release.WANTED) <= names
    assert not [name for name in names if name.startswith(("tests/", "jobs/"))]


def test_notes_are_the_section_of_the_version() -> None:
    assert release.notes("0.2.0", CHANGES) == "- New.\n"


@pytest.mark.parametrize("number", ["0.1.0", "0.3.0", "Unreleased"])
def test_a_version_without_notes_is_refused(number: str) -> None:
    with pytest.raises(release.ReleaseError, match=re.escape(number)):
        release.notes(number, CHANGES)


def test_a_tag_of_another_version_is_refused() -> None:
    with pytest.raises(release.ReleaseError, match="expected v"):
        release.check("v9.9.9")


def test_a_bill_of_materials_has_the_version(tmp_path: Path) -> None:
    bom = tmp_path / "bom.json"
    bom.write_text('{"metadata": {"component": {"name": "tfspark"}}}')
    assert release.main(["stamp", str(bom)]) == 0
    assert f'"version": "{tfspark.__version__}"' in bom.read_text()


def test_a_release_needs_all_files(tmp_path: Path) -> None:
    (tmp_path / "tfspark-0.0.1-py3-none-any.whl").touch()
    with pytest.raises(release.ReleaseError, match=r"found tfspark-0\.0\.1"):
        release.finish(tmp_path)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_have_few_rights_and_known_targets(file: Path) -> None:
    text = file.read_text("utf-8")
    assert "\npermissions:\n  contents: read\n" in text
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"run: make (?:--keep-going )?([a-z-]+)", text)) <= targets
    # What others write, such as titles and names of branches, is not put into a command.
    assert set(re.findall(r"run: .*\$\{\{ *([\w.]+)", text)) <= {"matrix.line"}


def test_actions_are_pinned_and_each_by_one_commit() -> None:
    """A pin that was moved in one file only would be forgotten in the others."""
    texts = [file.read_text("utf-8") for file in (*WORKFLOWS, ACTION)]
    found = {pin for text in texts for pin in re.findall(r"uses: (.+)", text)}
    found -= {"./.github/actions/setup"}
    assert [one for one in found if not PINNED.fullmatch(one)] == []
    names = [pin.partition("@")[0] for pin in found]
    assert len(names) == len(set(names)) > 3
