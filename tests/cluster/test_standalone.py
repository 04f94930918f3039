"""The batch job on a standalone master with two workers, started and ended here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.daemons import ALL_EXECUTORS

ROOT = Path(__file__).parents[2]


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
