"""Workers and executors are killed or lose the network for seconds during a job."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from benchmarks import process_memory
from tests.cluster.daemons import Daemon
from tests.faults.driver import QUICK, Driver, environment
from tests.faults.networks import Network, network
from tests.faults.numbered_rows import TOTAL
from tests.faults.reader import files_of, rows_of
from tests.shell import SHORT_EXECUTORS

pytestmark = pytest.mark.faults

FLAGS = ("--path", "direct", "--chunks", 5, "--batch-size", 4)
SUBMIT = f"{QUICK} {shlex.join(SHORT_EXECUTORS)} pyspark-shell"
ON_TWO_EXECUTORS = f"--master local-cluster[2,1,1024] {SUBMIT}"
VICTIMS = {"executor": "CoarseGrainedExecutorBackend", "worker": "pyspark.daemon"}
CUT_S = 60 if os.environ.get("ROUNDS") else 5


def wait_for_a_part(place: Path, driver: Driver) -> None:
    """Wait until a task has finished its part."""
    while not list(place.glob(".out.tfspark/work-*/attempts/part-*")):
        assert driver.process.poll() is None, driver.log.read_text()
        sleep(0.02)


def is_whole(output: Path) -> bool:
    left = [path.name for path in output.parent.iterdir()]
    return rows_of(files_of(output)) == list(range(TOTAL)) and left == ["out"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_job_survives_the_loss_of_a_process(
    victim: str, drive: Any, many_rows: Path, tmp_path: Path
) -> None:
    output = tmp_path / "place" / "out"
    output.parent.mkdir()
    submit = {"PYSPARK_SUBMIT_ARGS": ON_TWO_EXECUTORS}
    driver: Driver = drive(output, *FLAGS, source=many_rows, environment=submit)
    driver.go()
    wait_for_a_part(output.parent, driver)
    found = [
        pid
        for pid in process_memory.descendants(driver.process.pid)
        if VICTIMS[victim].encode() in b" ".join(process_memory.command(pid))
    ]
    os.kill(found[-1], signal.SIGKILL)  # of a daemon's processes, the last one is a worker
    assert driver.end() == 0, driver.log.read_text()
    assert is_whole(output)


@pytest.fixture
def cut_off(tmp_path: Path) -> Iterator[tuple[Network, str]]:
    """A network, a master on this machine and a worker in the namespace."""
    with network() as made, ExitStack() as stack:
        variables = environment(SPARK_LOCAL_IP=made.here)
        log, url = tmp_path / "master", "spark://{}:{}"
        master = stack.enter_context(
            Daemon(log, variables, "master.Master", "--port", 0, host=made.here)
        )
        port = master.wait_for(r"service 'sparkMaster' on port (\d+)")
        worker = stack.enter_context(
            Daemon(
                tmp_path / "worker",
                environment(SPARK_LOCAL_IP=made.there),
                "worker.Worker",
                *("--cores", 2, "--memory", "1g", "--work-dir", tmp_path / "work"),
                url.format(made.here, port),
                host=made.there,
                within=made.within,
            )
        )
        worker.wait_for(r"(Successfully registered with master)")
        yield made, url.format(made.here, port)


@pytest.mark.timeout(600)
def test_a_network_that_is_cut_for_some_seconds(
    cut_off: tuple[Network, str],
    drive: Any,
    job: Callable[..., int],
    figure: Any,
    many_rows: Path,
    tmp_path: Path,
) -> None:
    made, url = cut_off
    output = tmp_path / "place" / "out"
    output.parent.mkdir()
    variables = {
        "PYSPARK_SUBMIT_ARGS": f"--master {url} --conf spark.driver.host={made.here} {SUBMIT}",
        "SPARK_LOCAL_IP": made.here,
    }
    driver: Driver = drive(output, *FLAGS, source=many_rows, environment=variables)
    driver.go()
    wait_for_a_part(output.parent, driver)
    made.pull()
    sleep(CUT_S)
    made.plug()
    code = driver.end()
    figure(f"network cut for {CUT_S} s: exit code {code}")
    assert code in (0, 75), driver.log.read_text()
    if code:
        assert job(output, *FLAGS, source=many_rows) == 0
    assert is_whole(output)
