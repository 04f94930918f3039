"""Checks a job before any row is read. Driver.

`batch.plan` checks model, columns and output. `check_settings` checks the memory of the workers,
and `check_space` checks the space for the output. Then `open_models` lets one worker open the
models and return its versions. The worker is a separate process, so a model that crashes or hangs
ends only that process. The same worker then scores, so this check costs only one small task.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tfspark.bound_models import NamedModel
from tfspark.data_files.listing import DataFile
from tfspark.engine.registry import packages_of
from tfspark.errors import NoSpaceError, UsageError, explain
from tfspark.foreign_text import one_line
from tfspark.model_title import title_of
from tfspark.options import DEFAULTS, AnyEngine
from tfspark.scoring.job import BatchJob, Plan
from tfspark.spark.cluster.failures import cause
from tfspark.spark.cluster.files import HadoopFiles
from tfspark.spark.cluster.lost_workers import naming_lost_workers
from tfspark.spark.cluster.worker_versions import worker_versions
from tfspark.spark.model_loading import handle_of
from tfspark.spark.worker.checkup import LEAST_MEMORY
from tfspark.spark.worker.probe import Probe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger(__name__)

_MEMORY = "spark.executor.pyspark.memory"
_SIZE = re.compile(r"(\d+)\s*([kmgtp]?)b?", re.IGNORECASE)
# Without a unit, Spark reads MiB.
_UNITS = {"": 20, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}

# Session → the versions of its workers, by models, engine and kind of task.
_ANSWERED: WeakKeyDictionary[SparkSession, dict[str, Mapping[str, str]]] = WeakKeyDictionary()

# Columns compress very differently. Only less free space than a twentieth of the input is certainly
# too little.
_SHARE = 20
_LEAST_SPACE = 1 << 20


def check_settings(spark: SparkSession, engine: AnyEngine = DEFAULTS.engine) -> None:
    """Refuse a memory limit for Python workers that is too small to load TensorFlow.

    Raises:
        UsageError: The message names the setting.
    """
    # The fastest engine is found by comparing the others with TensorFlow.
    if engine != "fastest" and "tensorflow" not in packages_of(engine):
        return
    text = spark.conf.get(_MEMORY, None)
    size = _SIZE.fullmatch(text.strip()) if text else None
    if size is None:
        return
    # Spark divides the limit by the cores of an executor, because each core can run a worker.
    cores = int(spark.conf.get("spark.executor.cores", None) or 1)
    limit = (int(size[1]) << _UNITS[size[2].lower()]) // cores
    if limit < LEAST_MEMORY:
        share = f", for {cores} cores" if cores > 1 else ""
        raise UsageError(
            explain(
                "A Python worker has too little memory to load TensorFlow.",
                expected="1g or more for each core of an executor, or no limit",
                found=f"{_MEMORY}={text}{share}",
                hint=f"leave out --conf {_MEMORY}, or give it at least {cores}g.",
            )
        )


def check_space(spark: SparkSession, job: BatchJob, planned: Plan) -> None:
    """Refuse an output without space for the rows; log a warning if space may be too little.

    Raises:
        NoSpaceError: The message has the free and the expected bytes.
    """
    free = _free_bytes(spark, job.target.path) if job.target.path else None
    if free is None:
        return
    size = sum(file.size for file in planned.snapshot or () if isinstance(file, DataFile))
    least = max(_LEAST_SPACE, size // _SHARE if job.keep is None else 0)
    if free < least:
        raise NoSpaceError(
            explain(
                f"There is no space for the output {job.target}.",
                expected=f"{_in_words(least)} or more, for an input of {_in_words(size)}",
                found=f"{_in_words(free)} free",
                hint="free some space there, or choose another --output.",
            )
        )
    if free < size and job.keep is None:
        few = "the input has %s, but only %s are free for the output"
        _log.warning(few, _in_words(size), _in_words(free))


def open_models(
    spark: SparkSession, models: Sequence[NamedModel], *, by_rdd: bool = False
) -> Mapping[str, str]:
    """Let a worker open the models and run their warm-up requests; return its versions.

    A session asks once for the same models and options: a model is identified by its digest.

    Args:
        spark: The session.
        models: The models.
        by_rdd: Whether the job runs its tasks by RDDs.

    Raises:
        TfsparkError: The worker raised it, crashed or exceeded the time limit.
    """
    handles = [handle_of(spark, one.package, one.options, one.choice) for one in models]
    timeout = next((one.options.timeout for one in models), None)
    subject = ", ".join(f"model {title_of(one.package)}" for one in models)
    with naming_lost_workers(subject, lambda _: "while it was loaded"):
        engine = next((one.options.name for one in handles), DEFAULTS.engine)
        probe = Probe(handles, timeout)
        answered = _ANSWERED.setdefault(spark, {})
        facts = [(one.digest, one.tags, one.signature, one.options) for one in handles]
        key = repr((facts, engine, by_rdd))
        if key not in answered:
            answered[key] = worker_versions(spark, probe, engine=engine, by_rdd=by_rdd)
        return answered[key]


def _free_bytes(spark: SparkSession, path: str) -> int | None:
    """Return the free bytes at a path; `None` if its file system does not report them."""
    try:
        return HadoopFiles(spark, path).free_bytes(path)
    except Exception as error:  # unknown free space is no reason to refuse a job
        _log.info("the free space of %s is not known: %s", one_line(path), cause(error))
        return None


def _in_words(size: int) -> str:
    """Return a number of bytes with a unit."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
