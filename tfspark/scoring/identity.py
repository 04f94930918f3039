"""Computes the key of a job from its settings, its model and its input. Driver.

Two runs with equal keys are the same job; they have the same version of tfspark. Only a run of the
same job keeps the finished parts of a dead job, and sees that a job is done; any other job starts
from scratch. If the input has no state (files or versions), changes cannot be detected. So each run
is a job of its own, unless the user gives a run id.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

from tfspark import __version__
from tfspark.bound_models import NamedModel
from tfspark.scoring.job import BatchJob, ReportOptions
from tfspark.scoring.output.journal import JobKey

_log = logging.getLogger(__name__)


def key_of(
    job: BatchJob,
    models: Sequence[NamedModel],
    snapshot: Sequence[object] | None,
    session: Sequence[str] = (),
) -> JobKey:
    """Return the key of a batch job.

    The key contains the digests of the models, not their paths. It contains the chosen engines, so
    that all parts of an output come from one engine. It does not contain the time limit, so that a
    job that exceeded the limit can continue with a longer one. It contains nothing that changes
    only the report.

    Args:
        job: The job.
        models: Its models.
        snapshot: The state of the input; `None` when it is not known.
        session: The settings of the session that change values, and the version of Spark.
    """
    keys = dict.fromkeys(job.models, "")
    options = replace(job.options, timeout=None)
    settings = replace(job, model="", models=keys, options=options, reported=ReportOptions())
    digests = [model.package.digest for model in models]
    chosen = [model.choice.engine for model in models if model.choice is not None]
    return digest_key(job.run_id, [repr(settings), *digests, *chosen, *session], snapshot)


def digest_key(
    run_id: str, settings: Sequence[object], snapshot: Sequence[object] | None
) -> JobKey:
    """Return the key of a job.

    Args:
        run_id: The key that the user chose; empty when there is none.
        settings: The settings and the models.
        snapshot: The state of the input; `None` when it is not known.
    """
    if snapshot is None and not run_id:
        _log.info(
            "the input has neither files nor a version that identify its rows: if this job is "
            "killed, the same command is a new job; only a run id makes it the same job"
        )
        return JobKey.of_one_run()
    digest = hashlib.sha256()
    for fact in (run_id, __version__, *settings, *(snapshot or ())):
        text = repr(fact).encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return JobKey(digest.hexdigest(), run_id)
