"""The batch job on a standalone master with two workers, started and ended here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.daemons import Daemon

ROOT = Path(__file__).parents[2]
# A job that starts with the first executor may end before the second one has started.
ALL_EXECUTORS = (
    *("--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0"),
    *("--conf", "spark.scheduler.maxRegisteredResourcesWaitingTime=120s"),
)


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


@pytest.mark.slow
def test_job_on_two_workers(
    master: str,
    workers: list[Path],
    submit: Any,
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Any,
    tmp_path: Path,
) -> None:
    executors = [len(list(folder.glob("app-*/*"))) for folder in workers]
    done = submit(
        *("--master", master, *ALL_EXECUTORS, "jobs/batch_score.py", "--model", linear),
        *("--input", numbers, "--output", tmp_path / "out"),
    )
    report = json.loads(Path(done.stdout.splitlines()[-1]).read_text())
    assert (report["rows_in"], report["rows_out"]) == (800, 800)
    assert predictions(tmp_path / "out") == expected
    assert [len(list(folder.glob("app-*/*"))) for folder in workers] == [
        count + 1 for count in executors
    ]


SCORE_EACH_WAY = """
import sys

root, model, source, target, *ways = sys.argv[1:]
sys.path.insert(0, root)
from jobs import batch_score
from tfspark.spark.cluster.session import session

spark = session("each way")
flags = ["--model", model, "--input", source, "--path", "spark"]
for way in ways:
    args = [*flags, "--distribute", way, "--output", f"{target}/{way}"]
    batch_score.run(spark, batch_score.parse_args(args))
"""


@pytest.mark.slow
def test_model_reaches_workers_in_every_way(
    master: str,
    submit: Any,
    linear: Path,
    numbers: Path,
    expected: dict[int, float],
    predictions: Any,
    tmp_path: Path,
) -> None:
    script = tmp_path / "each_way.py"
    script.write_text(SCORE_EACH_WAY)
    ways = ["archive", "path", "broadcast"]
    submit(
        *("--master", master, *ALL_EXECUTORS, script, ROOT, linear, numbers, tmp_path / "out"),
        *ways,
    )
    assert [predictions(tmp_path / "out" / way) for way in ways] == [expected] * 3
