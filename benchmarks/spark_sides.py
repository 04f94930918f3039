"""The sides that run on Spark, in sessions with equal settings.

Sides are served in groups, one process with one session each: tfspark's sides and the sides without
Python, the Scala bridge, `predict_batch_udf` at two batch sizes, the pandas UDF, and both kinds of
UDF for each other runtime. So a worker that imported TensorFlow, or set its threads, never runs
tfspark's engine, and the JVM of a session compiles only the code of its own sides.
`python -m benchmarks.spark_sides GROUP` serves one group.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.types import ArrayType, FloatType

from benchmarks import bridge
from benchmarks.peers.runtimes import RUNTIMES
from benchmarks.serve import Side, serve
from benchmarks.signature_call import Opener, kept, open_signature
from benchmarks.task import Task

if TYPE_CHECKING:
    from tfspark.scoring.job import BatchJob
    from tfspark.scoring.report import Report

# A side with a batch size above Spark's 10 000 rows per Arrow batch gets such batches too.
ARROW_ROWS = "spark.sql.execution.arrow.maxRecordsPerBatch"
# Because of this limit, Spark measures a batch after every row. Two sides lift it.
_UNBOUNDED = {"spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1)}
# The tasks of `predict` do not read the files themselves: Spark sends them rows.
_ROWS = {"spark.tfspark.directRead": "false"}


@contextmanager
def open_session(master: str, settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """Start a session with the settings that all sides share."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = (
        SparkSession.builder.appName("benchmark")
        .master(master)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "3g")
        .config("spark.log.level", "ERROR")
        # As in spark-submit.sh on one machine; without it, every Python task waits 40 ms.
        .config("spark.python.unix.domain.socket.enabled", "true")
    )
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()


def tfspark_sides(spark: SparkSession) -> dict[str, Side]:
    """Return tfspark's sides, and Spark's sides without a model or without Python."""
    return {
        "job": lambda task: _job(spark, task, "auto"),
        "job_fastest": lambda task: _job(spark, task, "auto", "fastest"),
        "job_spark": lambda task: _job(spark, task, "spark"),
        "predict": lambda task: _predict(spark, task),
        "predict_fastest": lambda task: _predict(spark, task, "fastest"),
        "predict_rows": lambda task: _with(spark, _ROWS, lambda: _predict(spark, task)),
        "predict_unbounded": lambda task: _with(
            spark, {**_ROWS, **_UNBOUNDED}, lambda: _predict(spark, task)
        ),
        "pass_through": lambda task: _write(_read(spark, task), task),
        "sql": lambda task: _write(_read(spark, task).select(formula(task)), task),
    }


def _job(spark: SparkSession, task: Task, path: Any, engine: Any = "auto") -> None:
    run_job(spark, job_of(task, path, engine))


def job_of(task: Task, path: Any = "auto", engine: Any = "auto") -> BatchJob:
    """Return the batch job of a task."""
    from tfspark.options import ScoreOptions
    from tfspark.scoring.dataset import Dataset
    from tfspark.scoring.job import BatchJob

    return BatchJob(
        model=task.model,
        source=Dataset(path=task.data),
        target=Dataset(path=task.out),
        feed=_feed(task),
        keep=[],
        path=path,
        options=ScoreOptions(**_options(task), engine=engine),
    )


def run_job(spark: SparkSession, job: BatchJob) -> Report:
    """Run a batch job and return its report."""
    from tfspark.scoring import batch

    report = batch.new_report("benchmark")
    return batch.execute(spark, batch.plan(spark, job, report), report)


def _predict(spark: SparkSession, task: Task, engine: Any = "auto") -> None:
    _write(predicted(_read(spark, task), task, engine), task)


def predicted(df: DataFrame, task: Task, engine: Any = "auto") -> DataFrame:
    """Return only the predictions of a table's rows."""
    import tfspark

    options = {**_options(task), "engine": engine}
    return tfspark.predict(df, task.model, feed=_feed(task), keep=[], **options)


def jvm_sides(spark: SparkSession) -> dict[str, Side]:
    """Return the Scala bridge's SQL operator, which runs the model in Spark's own JVM."""
    return {"jvm": lambda task: _predict(spark, task, "jvm")}


def _with(spark: SparkSession, settings: Mapping[str, str], run: Callable[[], None]) -> None:
    for name, value in settings.items():
        spark.conf.set(name, value)
    try:
        run()
    finally:
        for name in settings:
            spark.conf.unset(name)


def _feed(task: Task) -> dict[str, Any]:
    return {"inputs": list(task.columns) if task.stacked else task.columns[0]}


def _options(task: Task) -> dict[str, Any]:
    return {"batch_size": task.batch} if task.batch else {}


def formula(task: Task) -> Any:
    """Return the model of a case as a Spark expression."""
    from benchmarks.cases import BY_NAME

    return sf.expr(BY_NAME[task.case].formula).alias("outputs")


def batch_udf_sides(spark: SparkSession, open_model: Opener = open_signature) -> dict[str, Side]:
    """Return `pyspark.ml.functions.predict_batch_udf`, as in its documentation.

    The function is created once per model and batch size. All of them share the model in a worker,
    so that a search for the best batch size does not measure loads.
    """
    made = cache(partial(batch_udf, open_model=partial(kept, open_model)))

    def run(task: Task) -> None:
        assert task.batch is not None
        spark.conf.set(ARROW_ROWS, max(10_000, task.batch))
        score = made(task.model_call)
        _write(_read(spark, task).select(score(_input(task)).alias("outputs")), task)

    def run_unbounded(task: Task) -> None:
        _with(spark, _UNBOUNDED, lambda: run(task))

    return {"batch_udf_128": run, "batch_udf": run, "batch_udf_unbounded": run_unbounded}


def batch_udf(task: Task, open_model: Opener = open_signature) -> Any:
    """Make a `predict_batch_udf` of a model."""
    from pyspark.ml.functions import predict_batch_udf

    export_dir, shape, width = task.export_dir, task.shape, task.width
    assert task.batch is not None
    return predict_batch_udf(
        lambda: open_model(export_dir, shape, width),
        return_type=_result_type(task),
        batch_size=task.batch,
        # Text is a scalar column without a tensor shape.
        input_tensor_shapes=None if task.strings else [[task.size]],
    )


def pandas_udf_sides(spark: SparkSession, open_model: Opener = open_signature) -> dict[str, Side]:
    """Return an iterator pandas UDF that opens the model once per worker process."""

    def run(task: Task) -> None:
        import pandas as pd

        export_dir, shape, width = task.export_dir, task.shape, task.width
        strings, batch = task.strings, task.batch or 10_000

        def score(series: Iterator[Any]) -> Iterator[Any]:
            import numpy as np

            predict = kept(open_model, export_dir, shape, width)
            for values in series:
                rows = values.to_numpy()
                outputs = predict(rows if strings else np.stack(rows))
                yield pd.Series(outputs if width == 1 else list(outputs))

        score.__annotations__ = {"series": Iterator[pd.Series], "return": Iterator[pd.Series]}
        spark.conf.set(ARROW_ROWS, batch)
        udf = sf.pandas_udf(score, _result_type(task))
        _write(_read(spark, task).select(udf(_input(task)).alias("outputs")), task)

    return {"pandas_udf": run}


def runtime_sides(spark: SparkSession, runtime: str) -> dict[str, Side]:
    """Return both kinds of UDF with a runtime that is not TensorFlow."""
    open_model = RUNTIMES[runtime]
    return {
        f"{runtime}_udf": pandas_udf_sides(spark, open_model)["pandas_udf"],
        f"{runtime}_batch_udf": batch_udf_sides(spark, open_model)["batch_udf"],
    }


def _input(task: Task) -> Any:
    """Return the argument of a Spark UDF: one column with a flat array, or text."""
    if task.stacked:
        return sf.array(*task.columns)
    column = sf.col(task.columns[0])
    return sf.flatten(column) if task.nested else column


def _result_type(task: Task) -> Any:
    return FloatType() if task.width == 1 else ArrayType(FloatType())


def _read(spark: SparkSession, task: Task) -> DataFrame:
    return spark.read.parquet(task.data)


def _write(df: DataFrame, task: Task) -> None:
    df.write.mode("overwrite").parquet(task.out)


GROUPS = {
    "tfspark": tfspark_sides,
    "jvm": jvm_sides,
    "batch_udf": batch_udf_sides,
    "pandas_udf": pandas_udf_sides,
    **{runtime: partial(runtime_sides, runtime=runtime) for runtime in RUNTIMES},
}


def main() -> None:
    """Serve one group."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    settings = dict(setting.split("=", 1) for setting in chosen.conf)
    if chosen.group == "jvm":
        settings = {**bridge.settings(), **settings}

    @contextmanager
    def open_sides() -> Iterator[Mapping[str, Side]]:
        with open_session(chosen.master, settings) as spark:
            yield GROUPS[chosen.group](spark)

    serve(open_sides)


if __name__ == "__main__":
    main()
