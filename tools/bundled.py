"""Lists what the jar of the Scala bridge bundles: its licences and its bill of materials.

    python tools/bundled.py page            print scala-bridge/LICENSES.md
    python tools/bundled.py sbom            print the bill of materials (CycloneDX, JSON)
    python tools/bundled.py check JAR       refuse a jar with unknown files or without a component

The versions are read from scala-bridge/build.sbt.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "scala-bridge" / "build.sbt"
_PAGE_HEAD = """\
# What the jar of the bridge bundles

Written by `python tools/bundled.py page`; a test compares it with the jar. The bridge itself is
under Apache-2.0 (`LICENSE`).

| component | version | licence | files in the jar |
|---|---|---|---|
"""
_PAGE_TAIL = """
JavaCPP is under Apache-2.0 or GPL-2.0 with the Classpath exception; the jar takes it under
Apache-2.0.

TensorFlow's native libraries contain libraries that TensorFlow builds from source (Abseil, Eigen,
oneDNN and others). TensorFlow Java does not list them: its folder `THIRD_PARTY_TF_JNI_LICENSES` is
empty. The wheel of TensorFlow for Python lists them in `THIRD_PARTY_NOTICES.txt`.

## protobuf-java

Copyright 2008 Google Inc. All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are
met:

- Redistributions of source code must retain the above copyright
  notice, this list of conditions and the following disclaimer.
- Redistributions in binary form must reproduce the above
  copyright notice, this list of conditions and the following disclaimer
  in the documentation and/or other materials provided with the
  distribution.
- Neither the name of Google Inc. nor the names of its
  contributors may be used to endorse or promote products derived from
  this software without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
"AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR
A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

## scopt

Copyright (c) scopt contributors

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE
OR OTHER DEALINGS IN THE SOFTWARE.
"""


@dataclass(frozen=True)
class Component:
    """A library inside the jar.

    Attributes:
        group: Its group in Maven Central.
        artifact: Its name there.
        setting: The value of build.sbt that holds its version.
        licence: SPDX expression under which the jar takes it.
        folders: Where its files are in the jar.
    """

    group: str
    artifact: str
    setting: str
    licence: str
    folders: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version that the jar is built with."""
        found = re.search(rf'^val {self.setting} = "([^"]+)"', BUILD.read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"{BUILD} has no val {self.setting}")
        return found[1]


COMPONENTS = (
    Component(
        "org.tensorflow",
        "tensorflow-core-native",
        "tensorflowVersion",
        "Apache-2.0",
        ("org/tensorflow/",),
    ),
    Component(
        "org.bytedeco",
        "javacpp",
        "javacppVersion",
        "Apache-2.0",
        ("org/bytedeco/javacpp/", "module-info.class"),
    ),
    Component(
        "com.google.protobuf",
        "protobuf-java",
        "protobufVersion",
        "BSD-3-Clause",
        ("io/tfspark/shaded/protobuf/",),
    ),
    Component(
        "com.github.scopt",
        "scopt_2.13",
        "scoptVersion",
        "MIT",
        ("io/tfspark/shaded/scopt/",),
    ),
)
_OWN = ("io/tfspark/", "META-INF/")


def page() -> str:
    """Return the text of LICENSES.md."""
    rows = [
        f"| {one.group}:{one.artifact} | {one.version} | {one.licence} "
        f"| {', '.join(f'`{folder}`' for folder in one.folders)} |\n"
        for one in COMPONENTS
    ]
    return _PAGE_HEAD + "".join(rows) + _PAGE_TAIL


def sbom() -> dict[str, Any]:
    """Return the bill of materials as a CycloneDX document, the same at every run."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "tfspark-bridge"}},
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:maven/{one.group}/{one.artifact}@{one.version}",
                "purl": f"pkg:maven/{one.group}/{one.artifact}@{one.version}",
                "group": one.group,
                "name": one.artifact,
                "version": one.version,
                "licenses": [{"license": {"id": one.licence}}],
            }
            for one in COMPONENTS
        ],
    }


def unknown_files(jar: Path) -> list[str]:
    """Return the files of a jar that belong to no component."""
    known = tuple(folder for one in COMPONENTS for folder in one.folders) + _OWN
    with zipfile.ZipFile(jar) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    return [name for name in names if not name.startswith(known)]


def missing_components(jar: Path) -> list[str]:
    """Return the components that have no file in a jar."""
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
    return [
        one.artifact
        for one in COMPONENTS
        if not any(name.startswith(one.folders) for name in names)
    ]


def main(words: Sequence[str]) -> int:
    """Print the page or the bill of materials, or check a jar; return the exit code."""
    if words == ["page"]:
        print(page(), end="")
    elif words == ["sbom"]:
        print(json.dumps(sbom(), indent=2))
    elif len(words) == 2 and words[0] == "check":
        wrong = unknown_files(Path(words[1])) + missing_components(Path(words[1]))
        print(f"{words[1]}: {len(COMPONENTS)} components, {len(wrong)} wrong: {wrong[:9]}")
        return int(bool(wrong))
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
