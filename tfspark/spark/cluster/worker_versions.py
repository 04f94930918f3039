"""Asks a Python worker for its versions. Driver.

Returns the versions of Python and of the packages for scoring on one worker of a session, without
importing them. This also starts the worker, so that the first batch of a job does not wait
for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

import pyarrow as pa
from pyspark.sql import SparkSession

from tfspark.engine.registry import packages_of
from tfspark.errors import EngineError, explain, listing
from tfspark.options import AnyEngine
from tfspark.spark.cluster.failures import from_worker
from tfspark.spark.cluster.pandas_there import check_pandas
from tfspark.spark.cluster.worker_python import check_worker_python
from tfspark.versions import installed_versions


def worker_versions(spark: SparkSession, engine: AnyEngine = "auto") -> dict[str, str]:
    """Return package → version on a worker, `python` included.

    Args:
        spark: The session.
        engine: The engine, whose package the workers need.

    Raises:
        EngineError: When a worker cannot start, or lacks the package of the engine, or has no
            pandas for Spark.
    """
    check_pandas("mapInArrow")
    check_worker_python(spark, engine)

    def ask(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _ in batches:
            found = installed_versions()
            yield pa.RecordBatch.from_pydict({"name": list(found), "version": list(found.values())})

    asked = spark.range(0, 1, 1, 1).mapInArrow(ask, "name string, version string")
    try:
        found = {cast(str, row["name"]): cast(str, row["version"]) for row in asked.collect()}
    except Exception as error:
        raise from_worker(error) or error from error
    missing = sorted(packages_of(engine) - found.keys())
    if missing:
        raise EngineError(
            explain(
                f"The Python {found['python']} of the workers lacks {listing(missing)}.",
                expected=f"the package of the engine {engine}",
                found=", ".join(f"{name} {version}" for name, version in found.items()),
                hint="install it there, or set PYSPARK_PYTHON to a Python that has it.",
            )
        )
    return found
