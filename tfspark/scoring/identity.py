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


def key_of(job: BatchJob, packages: Sequence[ModelPackage], snapshot: Sequence[object]) -> JobKey:
    """Return the key of a batch job.

    The key contains the digests of the models, not their paths. It does not contain the time limit,
    so a job that exceeded the limit can continue with a longer one.
    """
    keys = dict.fromkeys(job.models, "")
    settings = replace(job, model="", models=keys, options=replace(job.options, timeout=None))
    digests = [package.digest for package in packages]
    return digest_key(job.run_id, repr(settings), *digests, *snapshot)


def digest_key(run_id: str, *facts: object) -> JobKey:
    """Return the key of a job with these facts."""
    digest = hashlib.sha256()
    for fact in (run_id, *facts):
        text = repr(fact).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return JobKey(digest.hexdigest(), run_id)
