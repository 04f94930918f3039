"""The jar of the Scala bridge on the Spark of this environment; skipped if the jar is not built."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pyspark
import pytest

from tests.bridge.jdbc import Jdbc
from tests.bridge.session import Session
from tests.shell import fresh_environment

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "scala-bridge"
MODELS = BRIDGE / "src" / "test" / "models"
SPARK_HOME = Path(pyspark.__file__).parent
PATIENCE = 120.0


@pytest.fixture(scope="session")
def jar() -> Path:
    """The jar that `make bridge` built."""
    # Its name contains the platform, unlike the names of the thin jar and of the sources.
    built = list((BRIDGE / "target" / "scala-2.13").glob("tfspark-bridge_*64.jar"))
    if not built:
        pytest.skip("the bridge was not built (make bridge)")
    return max(built, key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a shell with this environment's Spark, and folders for the tests only."""
    folder = tmp_path_factory.mktemp("node")
    return fresh_environment(
        SPARK_HOME=str(SPARK_HOME),
        SPARK_LOCAL_DIRS=str(folder / "local"),
        SPARK_LOCAL_IP="127.0.0.1",
        PYSPARK_PYTHON=sys.executable,
        PYTHONPATH=str(ROOT),
        TFSPARK_CACHE_DIR=str(folder / "cache"),
    )


Start = Callable[[Mapping[str, object]], Session]


@pytest.fixture(scope="session")
def start(
    jar: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Start:
    """Start a session with the jar and settings; as a context manager, it ends."""

    def start(settings: Mapping[str, object]) -> Session:
        texts = {name: str(value) for name, value in settings.items()}
        return Session(
            tmp_path_factory.mktemp("session"), environment, {"spark.jars": str(jar), **texts}
        )

    return start


@pytest.fixture(scope="session")
def session(start: Start) -> Iterator[Session]:
    """The session of all files; SQL may name any model."""
    with start({"spark.master": "local[2]", "spark.tfspark.model.roots": "/"}) as session:
        yield session


@pytest.fixture(scope="session")
def restricted(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session where SQL may name the models of temporary folders, with two more operations."""
    settings = {
        "spark.master": "local[2]",
        "spark.tfspark.model.roots": tmp_path_factory.getbasetemp(),
        "spark.tfspark.allowOps": "ReadFile, WriteFile",
    }
    with start(settings) as session:
        yield session


@pytest.fixture(scope="session")
def jdbc() -> Iterator[Jdbc]:
    """The JDBC driver for Thrift servers."""
    with Jdbc() as jdbc:
        yield jdbc


@contextmanager
def served(environment: dict[str, str], folder: Path, *options: object) -> Iterator[str]:
    """Run a Thrift server in a folder; yield its address once it listens."""
    port = free_port()
    command = (
        *(SPARK_HOME / "bin" / "spark-submit", "--master", "local[2]", *options),
        *("--conf", "spark.ui.enabled=false"),
        *("--conf", f"spark.hadoop.hive.server2.thrift.port={port}"),
        *("--conf", "spark.hadoop.hive.server2.thrift.bind.host=127.0.0.1"),
        *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
    )
    log_file = folder / "server.log"
    with log_file.open("wb") as log:
        server = subprocess.Popen(
            [str(word) for word in command], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        end = monotonic() + PATIENCE
        while not listens(port):
            assert server.poll() is None, log_file.read_text()
            assert monotonic() < end, log_file.read_text()
            sleep(0.2)
        yield f"jdbc:hive2://127.0.0.1:{port}/default"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port that is free and that the system gives to no program by itself."""
    for port in random.Random().sample(range(20_000, 32_000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("100 ports are taken")


def listens(port: int) -> bool:
    """Whether a server on this machine listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
