"""Audits every pin of constraints.txt for known vulnerabilities: `make audit`.

pip-audit asks the index for the known vulnerabilities of each pin. It reports "no known
vulnerabilities" even when the index has no advisories for any pin, such as a mirror of files, so
this program counts the pins with an answer. When there is none, it prints NOT AUDITED and the
reason: the index has no advisories, or pip-audit failed. That is a failure only with REQUIRED=1.
When only some pins have an answer, the audit always fails.

Pins for other platforms and Pythons are audited too: markers are dropped, and the versions of a
package are put into several files, because pip-audit takes one version of a package per file.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "constraints.txt"
PIP_AUDIT = "pip-audit==2.10.1"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)


def main() -> int:
    """Audit and print the count; return 1 for a vulnerability or an incomplete audit."""
    pinned = pins(PINS.read_text())
    found = audit(pinned)
    line, code = verdict(pinned, found, is_required=bool(os.environ.get("REQUIRED")))
    print(line)
    return code


def pins(text: str) -> list[tuple[str, str]]:
    """Return every name and version that is pinned, without the markers."""
    return _PIN.findall(text)


def files_of(pinned: Sequence[tuple[str, str]]) -> list[str]:
    """Return texts of requirements with at most one version of a package in each."""
    texts: list[dict[str, str]] = []
    for name, version in pinned:
        free = next((text for text in texts if name not in text), None)
        if free is None:
            texts.append(free := {})
        free[name] = version
    return ["".join(f"{name}=={text[name]}\n" for name in text) for text in texts]


def audit(pinned: Sequence[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """Run pip-audit; return its answer for each pin."""
    found: list[Mapping[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(files_of(pinned)):
            file = Path(folder) / f"{number}.txt"
            file.write_text(text)
            found += _run(file)
    return found


def _run(file: Path) -> list[Mapping[str, Any]]:
    uv = Path(sys.executable).parent / "uv"
    command = [
        *(uv, "tool", "run", "--quiet", "--from", PIP_AUDIT, "pip-audit"),
        *("--requirement", file, "--no-deps", "--disable-pip", "--progress-spinner", "off"),
        *("--vulnerability-service", "pypi", "--format", "json"),
    ]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    try:
        answer: list[Mapping[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(done.stderr)
        return []
    return answer


def verdict(
    pinned: Sequence[tuple[str, str]], found: Sequence[Mapping[str, Any]], *, is_required: bool
) -> tuple[str, int]:
    """Return the count as text, with the vulnerable pins, and the exit code."""
    asked = {
        (_canonical(one["name"]), one["version"]): one["vulns"] for one in found if "vulns" in one
    }
    audited = sum(1 for name, version in pinned if (_canonical(name), version) in asked)
    count = f"audited {audited} of {len(pinned)} pins"
    vulnerable = [
        f"  {name} {version}: {', '.join(one['id'] for one in vulns)}"
        for (name, version), vulns in sorted(asked.items())
        if vulns
    ]
    if vulnerable:
        listed = "\n".join([f"audit: {count}, {len(vulnerable)} are vulnerable:", *vulnerable])
        return listed, 1
    if not pinned or 0 < audited < len(pinned):
        return f"audit: failed, only {count}", 1
    if not audited:
        why = "the index answered without advisories" if found else "pip-audit gave no answer"
        return f"audit: NOT AUDITED, {why}: {count}, 1 skipped", int(is_required)
    return f"audit: {count}, none is known to be vulnerable", 0


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
