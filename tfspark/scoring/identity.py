"""Computes the key of a job from its settings, its model and its input files. Driver.

Two runs with equal keys are the same job. Only a run of the same job keeps the finished parts of a
dead job; any other job starts from scratch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from tfspark.package import ModelPackage
from tfspark.scoring.job import BatchJob
from tfspark.scoring.output.journal import JobKey


def key_of(job: BatchJob, package: ModelPackage, snapshot: Sequence[object]) -> JobKey:
    """Return the key of a batch job.

    The key contains the digest of the model, not its path. It does not contain the time limit, so a
    job that exceeded the limit can continue with a longer one.
    """
    settings = replace(job, model="", options=replace(job.options, timeout=None))
    return digest_key(job.run_id, repr(settings), package.digest, *snapshot)


def digest_key(run_id: str, *facts: object) -> JobKey:
    """Return the key of a job with these facts."""
    digest = hashlib.sha256()
    for fact in (run_id, *facts):
        text = repr(fact).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return JobKey(digest.hexdigest(), run_id)
