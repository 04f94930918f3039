"""Gets the versions of Python and of the packages from one worker. Driver.

The worker does not import the packages. This also starts the worker, so the first batch of a job
does not wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias, cast

import pyarrow as pa
from pyspark.sql import SparkSession

from tfspark.engine.registry import packages_of
from tfspark.errors import EngineError, explain
from tfspark.options import AnyEngine
from tfspark.spark.cluster.failures import own_errors
from tfspark.spark.cluster.pandas_check import check_pandas
from tfspark.spark.cluster.tasks import run_splits
from tfspark.spark.cluster.worker_python import check_worker_python
from tfspark.versions import installed_versions, mismatches

_log = logging.getLogger(__name__)

# Runs in a worker, and returns package → version.
VersionProbe: TypeAlias = Callable[[], dict[str, str]]


def worker_versions(
    spark: SparkSession,
    probe: VersionProbe = installed_versions,
    *,
    engine: AnyEngine = "auto",
    by_rdd: bool = False,
) -> dict[str, str]:
    """Return package → version on a worker, `python` included.

    Args:
        spark: The session.
        probe: The function that the worker runs.
        engine: The engine, whose package the workers need.
        by_rdd: Run the probe in an RDD instead of a DataFrame. Spark uses different workers for the
            two, and the job should reuse the worker that answers.

    Raises:
        EngineError: When a worker cannot start, lacks pandas or the package of the engine, or has
            another version of tfspark.
        TfsparkError: When the probe raises it.
    """
    if not by_rdd:
        check_pandas("mapInArrow")
    check_worker_python(spark, engine)
    with own_errors():
        found = _by_rdd(spark, probe) if by_rdd else _by_arrow(spark, probe)
    _check_versions(installed_versions(), found, engine)
    return found


def _by_rdd(spark: SparkSession, probe: VersionProbe) -> dict[str, str]:
    (found,) = run_splits(spark, [probe], lambda _, run: run())
    return found


def _by_arrow(spark: SparkSession, probe: VersionProbe) -> dict[str, str]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            found = probe()
            yield pa.RecordBatch.from_pydict({"name": list(found), "version": list(found.values())})

    rows = spark.range(0, 1, 1, 1).mapInArrow(run, "name string, version string")
    return {cast(str, row["name"]): cast(str, row["version"]) for row in rows.collect()}


def _check_versions(
    driver: Mapping[str, str], worker: Mapping[str, str], engine: AnyEngine
) -> None:
    """Refuse versions with which no job can run; log other differences."""
    for mismatch in mismatches(driver, worker, packages_of(engine)):
        name = mismatch.name
        found = f"{name} {mismatch.driver} on the driver, {name} {mismatch.worker} on the workers"
        if mismatch.is_fatal:
            raise EngineError(explain(mismatch.problem, found=found, hint=mismatch.advice))
        _log.warning("%s: %s", found, mismatch.advice)
