"""The driver and its JVM are killed before an operation of Spark's own writer, and run again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pyspark
import pytest

from tests.faults.driver import SUBMIT, Driver
from tests.faults.numbered_rows import NEW, OLD, write_old
from tests.faults.reader import Reader, files_of, rows_of

pytestmark = pytest.mark.faults

FILE_SYSTEM = Path(__file__).with_name("KillingFileSystem.java")
JARS = Path(pyspark.__file__).parent / "jars"
# A job commits by a rename of each file of each task; a task by a rename of its folder.
JOB = "^rename:[^:]*/_temporary/0/task_"
ONE = range(1, 2)
SHORT = [("append", JOB, ONE)]
LONG = [("append", ".", range(100)), ("overwrite", ".", range(100))]


@pytest.fixture(scope="session")
def killing(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The options of spark-submit for a file system that kills the driver."""
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("there is no Java compiler")
    folder = tmp_path_factory.mktemp("killing")
    command = [compiler, "-proc:none", "-cp", f"{JARS}/*", "-d", str(folder), str(FILE_SYSTEM)]
    subprocess.run(command, check=True)
    name = "spark.hadoop.fs.file.impl=KillingFileSystem"
    return f"--driver-class-path {folder} --conf {name}"


def killed_and_run_again(
    killing: str, mode: str, before: str, allowed: int, drive: Any, job: Any, place: Path
) -> str:
    """Return the operation that was killed; empty if the job ended before."""
    output, flags = place / "out", ("--mode", mode, "--path", "spark")
    write_old(output)
    old = files_of(output)
    at = f"--conf spark.hadoop.tests.before={before} --conf spark.hadoop.tests.allowed={allowed}"
    submit = {"PYSPARK_SUBMIT_ARGS": f"{killing} {at} {SUBMIT}"}
    driver: Driver = drive(output, *flags, environment=submit)
    with Reader(output) as reader:
        driver.go()
        ended = driver.end()
        said = driver.log.read_text()
        assert ended in (0, -signal.SIGKILL), said
        assert not ended or reader.seen == {old}
        if ended:
            assert job(output, *flags) == 0
    assert rows_of(files_of(output)) == sorted([*NEW, *(OLD if mode == "append" else [])])
    assert [path.name for path in output.parent.iterdir()] == ["out"]
    return said.partition("killed before ")[2].partition("\n")[0]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("mode", "before", "numbers"), LONG if "ROUNDS" in os.environ else SHORT)
def test_killed_in_a_write_of_spark_and_run_again(
    mode: str,
    before: str,
    numbers: range,
    killing: str,
    drive: Any,
    job: Any,
    figure: Any,
    tmp_path: Path,
) -> None:
    killed = []
    for allowed in numbers:
        place = tmp_path / str(allowed)
        operation = killed_and_run_again(killing, mode, before, allowed, drive, job, place)
        if not operation:
            break
        killed.append(operation)
    assert len(killed) == (1 if numbers is ONE else allowed)
    figure(f"{mode}: killed before {len(killed)} operations of Spark's writer, 0 wrong")
