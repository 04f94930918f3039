"""The mini clusters of Hadoop, whose jars Maven fetches for the Hadoop of this PySpark."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from time import monotonic, sleep

import pyspark
import pytest

from tools.class_archive import QUICK

JARS = Path(pyspark.__file__).parent / "jars"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tfspark" / "minidfs"
PATIENCE = 150.0


def fetch(*artifacts: str) -> None:
    """Fetch the mini cluster and more artifacts; skip the test if Maven cannot fetch them."""
    api = next(JARS.glob("hadoop-client-api-*.jar"))
    version = api.stem.removeprefix("hadoop-client-api-")
    with one_maven():
        for artifact in (f"org.apache.hadoop:hadoop-client-minicluster:{version}", *artifacts):
            _, name, number = artifact.split(":")
            if not (CACHE / f"{name}-{number}.jar").exists():
                _copy(artifact)


@contextmanager
def one_maven() -> Iterator[None]:
    """Wait until no other process of the tests fetches files with Maven."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with CACHE.with_name(".maven-lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _copy(artifact: str) -> None:
    if shutil.which("mvn") is None:
        pytest.skip("there is no Maven to fetch the mini cluster of Hadoop")
    words = (f"-Dartifact={artifact}", f"-DoutputDirectory={CACHE}")
    command = ["mvn", "--batch-mode", "--quiet", "dependency:copy", *words]
    done = subprocess.run(command, cwd=CACHE, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"Maven does not fetch {artifact}: {done.stdout[-500:]}")


@contextmanager
def running(folder: Path, ready: Path, *program: object) -> Iterator[int]:
    """Run a Java program in a folder until the end of the block; yield its process id.

    Args:
        folder: Folder for its data and its log.
        ready: The file that the program writes when it is ready; the last character of the whole
            file is } or >.
        program: Class or source file, and arguments.
    """
    log = folder / "log"
    jars = ("-cp", f"{CACHE}/*:{JARS}/*")
    command = ["java", *QUICK.split(), *jars, f"-Dtest.build.data={folder}/data"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, *map(str, program)], cwd=folder, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        end = monotonic() + PATIENCE
        while not ready.exists() or not ready.read_text().rstrip().endswith(("}", ">")):
            assert process.poll() is None, log.read_text()
            assert monotonic() < end, log.read_text()
            sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def file_shell(folder: Path, *words: object) -> None:
    """Run one command of Hadoop's file shell, such as `-put`, with the settings in a folder."""
    program = ["java", *QUICK.split(), "-cp", f"{folder}:{JARS}/*", "org.apache.hadoop.fs.FsShell"]
    done = subprocess.run([*program, *map(str, words)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
