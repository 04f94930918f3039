"""An HDFS on this machine, from the jars that Maven fetches for the Hadoop of this PySpark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pyspark
import pytest

from tools.class_archive import QUICK

JARS = Path(pyspark.__file__).parent / "jars"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tfspark" / "minidfs"
# The mini cluster uses assertions of JUnit.
TESTING = (
    "org.junit.jupiter:junit-jupiter-api:5.10.2",
    "org.junit.platform:junit-platform-commons:1.10.2",
    "org.opentest4j:opentest4j:1.3.0",
)
MANAGER = "org.apache.hadoop.test.MiniDFSClusterManager"
PATIENCE = 150.0


def _fetch() -> None:
    """Fetch the jars; skip the test if Maven cannot fetch them."""
    api = next(JARS.glob("hadoop-client-api-*.jar"))
    version = api.stem.removeprefix("hadoop-client-api-")
    for artifact in (f"org.apache.hadoop:hadoop-client-minicluster:{version}", *TESTING):
        _, name, number = artifact.split(":")
        if (CACHE / f"{name}-{number}.jar").exists():
            continue
        if shutil.which("mvn") is None:
            pytest.skip("there is no Maven to fetch the mini cluster of Hadoop")
        CACHE.mkdir(parents=True, exist_ok=True)
        words = (f"-Dartifact={artifact}", f"-DoutputDirectory={CACHE}")
        command = ["mvn", "--batch-mode", "--quiet", "dependency:copy", *words]
        done = subprocess.run(command, cwd=CACHE, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"Maven does not fetch {artifact}: {done.stdout[-500:]}")


@contextmanager
def minidfs(folder: Path) -> Iterator[str]:
    """Start a name node and a data node; yield the URI of the file system."""
    _fetch()
    details, log = folder / "details.json", folder / "log"
    jars = ("-cp", f"{CACHE}/*:{JARS}/*")
    command = ["java", *QUICK.split(), *jars, f"-Dtest.build.data={folder}/data"]
    options = ("-format", "-datanodes", "1", "-writeDetails", str(details))
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, MANAGER, *options], cwd=folder, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        end = monotonic() + PATIENCE
        while not details.exists() or not details.read_text().endswith("}"):
            assert process.poll() is None, log.read_text()
            assert monotonic() < end, log.read_text()
            sleep(0.05)
        yield f"hdfs://127.0.0.1:{json.loads(details.read_text())['namenode_port']}"
    finally:
        process.kill()
        process.wait()
