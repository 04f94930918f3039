"""The jar of the Scala bridge on the Spark of this environment; skipped if the jar is not built."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pyspark
import pytest

from tests.bridge.session import Session
from tests.shell import fresh_environment

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "scala-bridge"
MODELS = BRIDGE / "src" / "test" / "models"
SPARK_HOME = Path(pyspark.__file__).parent
PATIENCE = 120.0
CONNECT_PORT = 15002


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


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """Run a program in a temporary folder and return its output; it must succeed."""

    return partial(run_in, tmp_path, environment)


def run_in(folder: Path, environment: dict[str, str], *command: object) -> str:
    """Run a program in a folder and return its output; it must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def spark_sql(run: Callable[..., str], jar: Path) -> Callable[..., list[str]]:
    """Run statements with spark-sql and return the lines of their results."""

    def spark_sql(statements: str, *options: object, jars: bool = True) -> list[str]:
        settings = (
            "--conf",
            f"spark.tfspark.model.roots={MODELS}",
            "--conf",
            "spark.ui.enabled=false",
        )
        given = ("--jars", jar) if jars else ()
        program = SPARK_HOME / "bin" / "spark-sql"
        printed = run(
            program, "--master", "local[2]", *settings, *given, *options, "-e", statements
        )
        return printed.splitlines()

    return spark_sql


@pytest.fixture
def in_spark(run: Callable[..., str], jar: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run a program with `spark`, a session with the jar; return the value passed to `answer`."""

    return partial(answer_in_spark, run, jar, tmp_path)


def answer_in_spark(
    run: Callable[..., str],
    jar: Path,
    folder: Path,
    program: str,
    *builder: str,
    roots: Path | str = MODELS,
) -> Any:
    """Run a program in a session with the jar and return its answer."""
    calls = builder or ('.master("local[2]")',)
    lines = (
        "import json, sys",
        "from pyspark.sql import SparkSession",
        f"spark = SparkSession.builder{''.join(calls)}.config('spark.jars', {str(jar)!r})"
        f".config('spark.tfspark.model.roots', {str(roots)!r})"
        ".config('spark.ui.enabled', 'false').getOrCreate()",
        "def answer(value): print('answer', json.dumps(value))",
        program,
        "spark.stop()",
    )
    script = folder / "program.py"
    script.write_text("\n".join(lines))
    if any(call.startswith(".remote") for call in calls):
        _wait_for_the_last_server()
    printed = run(sys.executable, "-u", script).splitlines()
    (line,) = (line for line in printed if line.startswith("answer "))
    return json.loads(line.removeprefix("answer "))


@pytest.fixture(scope="module")
def session(
    jar: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """A session with the jar, for all tests of a file; SQL may name any model."""
    settings = {"spark.jars": str(jar), "spark.tfspark.model.roots": "/"}
    with Session(tmp_path_factory.mktemp("session"), environment, settings) as session:
        yield session


@contextmanager
def served(environment: dict[str, str], folder: Path, *options: object) -> Iterator[str]:
    """Run a Thrift server in a folder; yield its address once it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
        while not _listens(port):
            assert server.poll() is None, log_file.read_text()
            assert monotonic() < end, log_file.read_text()
            sleep(0.2)
        yield f"jdbc:hive2://127.0.0.1:{port}/default"
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def thrift(
    environment: dict[str, str], jar: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The address of a Thrift server with the jar; a test may pass Spark settings."""
    settings = {"spark.tfspark.model.linear": MODELS / "linear", **getattr(request, "param", {})}
    words = (word for name, value in settings.items() for word in ("--conf", f"{name}={value}"))
    with served(environment, tmp_path, "--jars", jar, *words) as address:
        yield address


def _wait_for_the_last_server() -> None:
    """Wait until Spark's fixed Connect port is free: the server of a test ends after its client."""
    end = monotonic() + PATIENCE
    while _listens(CONNECT_PORT):
        assert monotonic() < end, "another Connect server does not end"
        sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def beeline(thrift: str, run: Callable[..., str]) -> Callable[..., list[str]]:
    """Send statements to the Thrift server over JDBC and return the lines of their results."""

    def beeline(*statements: str, user: str = "anonymous") -> list[str]:
        options = ("--silent=true", "--showHeader=false", "--outputformat=tsv2", "--force=true")
        words = (word for statement in statements for word in ("-e", statement))
        printed = run(SPARK_HOME / "bin" / "beeline", "-u", thrift, "-n", user, *options, *words)
        lines = (line.rpartition("> ")[2].strip() for line in printed.splitlines())
        return [line for line in lines if line]

    return beeline
