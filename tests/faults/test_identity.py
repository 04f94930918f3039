"""Two runs are the same job in every process, and only when all is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key
from tfspark.scoring.job import BatchJob

JOB = "BatchJob('m', Dataset('a', options={'b': 'c'}), Dataset('d'), keep=['x'], run_id='r')"
PROGRAM = f"""
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key
from tfspark.scoring.job import BatchJob
print(digest_key("r", repr({JOB}), "digest").digest)
"""


def test_a_digest_is_the_same_in_another_process() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, check=True, capture_output=True, text=True
    )
    job = BatchJob("m", Dataset("a", options={"b": "c"}), Dataset("d"), keep=["x"], run_id="r")
    assert done.stdout.strip() == digest_key("r", repr(job), "digest").digest


def test_any_fact_makes_another_job() -> None:
    keys = [digest_key("", "a", "b"), digest_key("", "ab"), digest_key("a", "b"), digest_key("")]
    assert len({key.digest for key in keys}) == 4
