"""Separate applications, submitted in a process, on rows with known predictions."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cluster.daemons import Daemon
from tests.shell import SHORT_EXECUTORS, fresh_environment
from tools import env_archive

ROOT = Path(__file__).parents[2]
FILES = 8


@pytest.hookimpl(tryfirst=True)  # before tests are deselected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, which start programs and clusters of their own."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a shell without Spark, and folders that are removed after the tests."""
    folder = tmp_path_factory.mktemp("node")
    return fresh_environment(
        SPARK_LOCAL_DIRS=str(folder / "local"),
        SPARK_LOCAL_IP="127.0.0.1",
        TFSPARK_CACHE_DIR=str(folder / "cache"),
    )


@pytest.fixture
def submit(
    environment: dict[str, str], tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run spark-submit.sh in a temporary folder; it must end with the given code, by default 0."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(ROOT / "spark-submit.sh"), *SHORT_EXECUTORS, *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Parquet files with small integers, for which the linear model is exact."""
    folder = tmp_path_factory.mktemp("numbers")
    for file in range(FILES):
        ids = np.arange(file * 100, file * 100 + 100)
        features = np.stack([ids % 50, ids % 7], axis=1).astype(np.float32)
        table = pa.table({"id": ids, "features": list(features)})
        pq.write_table(table, folder / f"part-{file}.parquet")
    return folder


@pytest.fixture(scope="session")
def expected() -> dict[int, float]:
    """Id → 2·x0 − x1 + 3 of `numbers`."""
    return {one: 2.0 * (one % 50) - one % 7 + 3.0 for one in range(FILES * 100)}


@pytest.fixture(scope="session")
def predictions() -> Callable[[Path], dict[int, float]]:
    """Return id → prediction of an output."""

    def read(folder: Path) -> dict[int, float]:
        scored = pq.read_table(folder)
        return dict(zip(scored["id"].to_pylist(), scored["outputs"].to_pylist(), strict=True))

    return read


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with tfspark and OpenVINO; its tests are in one group, so it is built once."""
    path = tmp_path_factory.mktemp("archive") / "environment.tar.gz"
    assert env_archive.main(["--engine", "openvino", "--output", str(path)]) == 0
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return path


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Work folders of two workers; each worker makes one subfolder per executor."""
    return [tmp_path_factory.mktemp(f"worker{number}") for number in range(2)]


@pytest.fixture(scope="module")
def master(
    environment: dict[str, str], workers: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """URL of a running master with two workers of one core each."""
    logs = tmp_path_factory.mktemp("logs")
    with ExitStack() as stack:
        ports = ("--port", 0)
        daemon = stack.enter_context(Daemon(logs / "master", environment, "master.Master", *ports))
        port = daemon.wait_for(r"service 'sparkMaster' on port (\d+)")
        url = f"spark://127.0.0.1:{port}"
        sizes = ("--cores", 1, "--memory", "1g")
        started = [
            stack.enter_context(
                Daemon(
                    logs / folder.name,
                    environment,
                    "worker.Worker",
                    *(*ports, *sizes, "--work-dir", folder, url),
                )
            )
            for folder in workers
        ]
        for one in started:
            one.wait_for(r"(Successfully registered with master)")
        yield url
