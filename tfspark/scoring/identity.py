"""What makes two runs the same job: the settings, the model, and the input as it was. Driver.

A job that died is finished by the next run of the same job, which keeps its parts; any other run
starts from scratch.
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

    The model counts by its digest, wherever it is. The time limit does not count, so that a job
    that exceeded it goes on with a longer one.
    """
    settings = replace(job, model="", options=replace(job.options, timeout=None))
    return digest_key(job.run_id, repr(settings), package.digest, *snapshot)


def digest_key(run_id: str, *facts: object) -> JobKey:
    """Return the key of a job about which these facts are known."""
    digest = hashlib.sha256()
    for fact in (run_id, *facts):
        text = repr(fact).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return JobKey(digest.hexdigest(), run_id)
