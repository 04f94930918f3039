"""Two runs are the same job in every process, and only when all is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tfspark.bound_models import NamedModel
from tfspark.engine_choice import EngineChoice
from tfspark.options import DEFAULTS, ScoreOptions
from tfspark.package import load
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key, key_of
from tfspark.scoring.job import BatchJob

JOB = "BatchJob('m', Dataset('a', options={'b': 'c'}), Dataset('d'), keep=['x'], run_id='r')"
PROGRAM = f"""
from tfspark.scoring.dataset import Dataset
from tfspark.scoring.identity import digest_key
from tfspark.scoring.job import BatchJob
print(digest_key("r", [repr({JOB}), "digest"], []).digest)
"""


def test_a_digest_is_the_same_in_another_process() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=root, check=True, capture_output=True, text=True
    )
    job = BatchJob("m", Dataset("a", options={"b": "c"}), Dataset("d"), keep=["x"], run_id="r")
    assert done.stdout.strip() == digest_key("r", [repr(job), "digest"], []).digest


def test_any_fact_makes_another_job() -> None:
    facts = [("", ["a", "b"]), ("", ["ab"]), ("a", ["b"]), ("", [])]
    keys = [digest_key(run_id, settings, []) for run_id, settings in facts]
    assert len({key.digest for key in keys}) == 4


def test_a_longer_time_limit_makes_the_same_job(linear: Path) -> None:
    model = NamedModel("", load(linear), DEFAULTS, {})
    jobs = [
        BatchJob("m", Dataset("a"), Dataset("b"), options=ScoreOptions(timeout=timeout))
        for timeout in (None, 1.0, 60.0)
    ]
    assert len({key_of(job, [model], []).digest for job in jobs}) == 1
    wider = BatchJob("m", Dataset("a"), Dataset("b"), options=ScoreOptions(narrow=True))
    assert key_of(wider, [model], []).digest != key_of(jobs[0], [model], []).digest


def test_another_chosen_engine_makes_another_job(linear: Path) -> None:
    job = BatchJob("m", Dataset("a"), Dataset("b"), options=ScoreOptions(engine="fastest"))
    models = [
        NamedModel("", load(linear), job.options, {}, choice=EngineChoice(engine, rates))
        for engine, rates in [("auto", {}), ("auto", {"auto": 1.0}), ("openvino", {})]
    ]
    keys = [key_of(job, [model], []).digest for model in models]
    assert keys[0] == keys[1] != keys[2]
