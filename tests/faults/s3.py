"""An S3 server for tests, and Hadoop's connector for it, both fetched from package registries."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import pytest

from tests.hadoop_jars import CACHE, JARS, one_maven

MOTO = "moto[server,s3]==5.2.5"
BUCKET = "lake"
# hadoop-aws depends on one jar with every client of AWS, 700 MB. S3A needs only these modules.
MODULES = ("s3", "s3-transfer-manager", "sts")
# Hadoop → the versions that Hadoop's project names: of AWS's SDK, and of a reader that S3A loads.
VERSIONS = {"3.5.0": ("2.35.4", "1.3.1")}
_DEPENDENCY = """<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
{}</dependency>"""
_ALONE = (
    "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
)
_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tests</groupId><artifactId>s3a</artifactId><version>1</version>
<dependencies>{}</dependencies></project>"""


@dataclass(frozen=True)
class S3:
    """A running server with one bucket."""

    port: int

    @property
    def url(self) -> str:
        """The URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def settings(self) -> Mapping[str, str]:
        """Return the settings of Hadoop with which `s3a://` is this server."""
        return {
            "fs.s3a.endpoint": self.url,
            "fs.s3a.endpoint.region": "us-east-1",
            "fs.s3a.path.style.access": "true",
            "fs.s3a.access.key": "test",
            "fs.s3a.secret.key": "test",
            "fs.s3a.retry.limit": "1",
            "fs.s3a.attempts.maximum": "1",
        }

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send a request; the server only checks that there is a signature."""
        signature = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
        headers = {"Authorization": signature, "Content-Type": "application/octet-stream"}
        request = Request(f"{self.url}{path}", body or None, headers, method=method)
        with urlopen(request) as answer:
            found: bytes = answer.read()
        return found

    def stop_after(self, changes: int) -> None:
        """Refuse every request after some changes."""
        self.call("POST", f"/-/stop/{changes}")

    def go(self) -> int:
        """Serve all requests again; return the number of changes until now."""
        return int(self.call("POST", "/-/go"))

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        self.call("PUT", f"/{BUCKET}/{quote(key)}", body)

    def put_folder(self, key: str, folder: Path) -> None:
        """Write the files below a folder."""
        for path in folder.rglob("*"):
            if path.is_file():
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def get(self, key: str) -> bytes:
        """Read an object."""
        return self.call("GET", f"/{BUCKET}/{quote(key)}")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys with a prefix."""
        listing = self.call(
            "GET", f"/{BUCKET}?list-type=2&encoding-type=url&prefix={quote(prefix)}"
        )
        return [unquote(key) for key in re.findall(r"<Key>(.*?)</Key>", listing.decode())]


@contextmanager
def s3_server() -> Iterator[S3]:
    """Start the server in an environment of its own."""
    uv = [sys.executable, "-m", "uv", "run", "--quiet", "--no-project", "--isolated"]
    with subprocess.Popen(
        [*uv, "--with", MOTO, "python", Path(__file__).with_name("s3_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = process.stdout.readline()
        assert port, "the server does not start"
        server = S3(int(port))
        server.call("PUT", f"/{BUCKET}")
        yield server
        process.stdin.close()


def connector() -> list[Path]:
    """Return the jars of S3A; skip the test if Maven cannot fetch them."""
    api = next(JARS.glob("hadoop-client-api-*.jar"))
    hadoop = api.stem.removeprefix("hadoop-client-api-")
    assert hadoop in VERSIONS, f"add the versions of hadoop-project {hadoop} to VERSIONS"
    folder = CACHE.with_name("s3a") / hadoop
    folder.mkdir(parents=True, exist_ok=True)
    with one_maven():
        if not (folder / "complete").exists():
            _fetch(folder, hadoop)
            (folder / "complete").touch()
    return sorted(folder.glob("*.jar"))


def _fetch(folder: Path, hadoop: str) -> None:
    sdk, reader = VERSIONS[hadoop]
    wanted = [
        ("org.apache.hadoop", "hadoop-aws", hadoop, _ALONE),
        ("software.amazon.s3.analyticsaccelerator", "analyticsaccelerator-s3", reader, _ALONE),
        *(("software.amazon.awssdk", module, sdk, "") for module in MODULES),
    ]
    listed = "".join(_DEPENDENCY.format(*one) for one in wanted)
    (folder / "pom.xml").write_text(_PROJECT.format(listed))
    words = ("dependency:copy-dependencies", "-DincludeScope=runtime")
    command = ["mvn", "--batch-mode", "--quiet", *words, f"-DoutputDirectory={folder}"]
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no Maven to fetch the connector of S3")
    if done.returncode:
        pytest.skip(f"Maven does not fetch the connector of S3: {done.stdout[-500:]}")
