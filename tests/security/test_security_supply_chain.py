"""The dependencies: an audit without gaps, bounds with a reason, licences on a list."""

import re
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools import audit, bundled

ROOT = Path(__file__).parents[2]
PINNED = [("One", "1.0"), ("two_x", "2.0")]
SKIPPED = [{"name": "one", "version": "1.0", "skip_reason": "not found"}]


def answer(name, version, *ids):
    return {"name": name, "version": version, "vulns": [{"id": one} for one in ids]}


@pytest.mark.parametrize(
    ("found", "is_required", "words", "code"),
    [
        ([], False, "NOT AUDITED, pip-audit gave no answer: audited 0 of 2 pins, 1 skipped", 0),
        (SKIPPED, False, "NOT AUDITED, the index answered without advisories: audited 0 of 2", 0),
        (SKIPPED, True, "NOT AUDITED", 1),
        ([answer("one", "1.0"), *SKIPPED[1:]], False, "failed, only audited 1 of 2 pins", 1),
        ([answer("one", "1.0"), answer("two-x", "2.0")], True, "audited 2 of 2 pins, none", 0),
        ([answer("one", "1.0", "CVE-1")], False, "1 are vulnerable:\n  one 1.0: CVE-1", 1),
    ],
)
def test_what_was_not_audited_is_not_called_safe(found, is_required, words, code):
    line, given = audit.verdict(PINNED, found, is_required=is_required)
    assert words in line
    assert given == code
    assert "none is known" not in line or code == 0


def test_nothing_to_audit_is_a_failure():
    assert audit.verdict([], [], is_required=False)[1] == 1


def test_pins_of_every_platform_are_audited():
    text = audit.PINS.read_text()
    pinned = audit.pins(text)
    assert len(pinned) == len(re.findall(r"^[a-zA-Z].*==", text, re.MULTILINE))
    assert sum(file.count("\n") for file in audit.files_of(pinned)) == len(pinned)
    for file in audit.files_of(pinned):
        names = [line.partition("==")[0] for line in file.splitlines()]
        assert len(names) == len(set(names))


# The sources are the advisories of the CVEs, which pyproject.toml names beside the bounds.
KNOWN_BAD = [
    "protobuf==4.25.7",
    "protobuf==5.29.4",
    "protobuf==6.31.0",
    "pyarrow==14.0.0",
    "pyspark==3.5.1",
    "keras==3.8.0",
    "scikit-learn==1.4.2",
    "pillow==12.1.0",
    "setuptools==78.1.0",
]
KNOWN_GOOD = ["protobuf==4.25.8", "protobuf==5.29.5", "protobuf==6.31.1", "pyspark==3.5.2"]


def bounds():
    """Return the bound of each package in pyproject.toml, except those of the oldest TensorFlow."""
    text = (ROOT / "pyproject.toml").read_text().partition("[tool.")[0]
    text = re.sub(r"^numpy1 = .*", "", text, flags=re.MULTILINE)
    found = [Requirement(one) for one in re.findall(r'"([a-z][a-z0-9-]*[<>=!][^"]*)"', text)]
    return {one.name: one.specifier for one in found}


@pytest.mark.parametrize("bad", KNOWN_BAD)
def test_a_bound_excludes_a_version_that_is_known_to_be_bad(bad):
    name, _, version = bad.partition("==")
    assert version not in bounds()[name]


@pytest.mark.parametrize("good", KNOWN_GOOD)
def test_a_bound_allows_the_version_that_fixed_it(good):
    name, _, version = good.partition("==")
    assert version in bounds()[name]


def test_every_pin_is_within_the_bounds():
    known = bounds()
    outside = [pin for pin in audit.pins(audit.PINS.read_text()) if pin[0] in known]
    assert outside
    assert not [pin for pin in outside if pin[1] not in known[pin[0]]]


def test_the_page_of_licences_is_the_one_of_the_build():
    written = (ROOT / "scala-bridge" / "LICENSES.md").read_text()
    assert written == bundled.page(), "run: python tools/bundled.py page > scala-bridge/LICENSES.md"


def test_the_bill_of_materials_names_every_component_with_version_and_licence():
    components = bundled.sbom()["components"]
    assert len(components) == len(bundled.COMPONENTS)
    for one in components:
        assert one["purl"].endswith(f"@{one['version']}")
        assert one["licenses"][0]["license"]["id"]


def test_a_file_of_no_component_is_found(tmp_path):
    jar = tmp_path / "x.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("io/tfspark/A.class", "")
        archive.writestr("org/apache/other/B.class", "")
    assert bundled.unknown_files(jar) == ["org/apache/other/B.class"]
    assert bundled.missing_components(jar) == [one.artifact for one in bundled.COMPONENTS]


def test_the_jar_bundles_what_is_listed():
    jars = sorted((ROOT / "scala-bridge" / "target" / "scala-2.13").glob("*.jar"))
    if not jars:
        pytest.skip("needs the jar of the Scala bridge: make bridge")
    for jar in jars:
        assert bundled.unknown_files(jar) == []
        assert bundled.missing_components(jar) == []
        with zipfile.ZipFile(jar) as archive:
            page = archive.read("META-INF/tfspark/LICENSES.md").decode()
            assert "Apache License" in archive.read("META-INF/tfspark/LICENSE").decode()
        assert page == bundled.page()
