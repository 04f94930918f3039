"""The options that every Spark face shares, and the handle they make. Driver only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias, TypedDict, get_args

from pyspark.sql import SparkSession

from tfspark.engine import EngineName, EngineOptions
from tfspark.errors import UsageError, explain, listing
from tfspark.handle import ModelHandle
from tfspark.package import ModelPackage
from tfspark.spark.distribution import Distribute, distribute, resolve

Model: TypeAlias = str | Path | ModelPackage


class ScoreOptions(TypedDict, total=False):
    """Keyword options of `predict`, `predict_udf`, `predict_rdd` and `register`.

    Keys:
        version: Version folder of a model given by path; by default the newest.
        signature: Signature to call; by default `serving_default`.
        tags: Tag set of the graph; by default `("serve",)`.
        batch_size: Rows per call of the model; by default as many as make about 1 MiB of input.
        engine: Engine that runs the model; by default the best that works on the workers.
        distribute: How the model reaches the workers: `auto`, `broadcast`, `archive` or `path`.
    """

    version: int | None
    signature: str | None
    tags: Sequence[str]
    batch_size: int | None
    engine: EngineName
    distribute: Distribute


def model_of(spark: SparkSession | None, model: Model, options: ScoreOptions) -> ModelPackage:
    """Return the package that the options choose."""
    batch_size = options.get("batch_size")
    if batch_size is not None and batch_size < 1:
        raise UsageError(
            explain("A batch needs rows.", expected="batch_size ≥ 1", found=str(batch_size))
        )
    _check_word("engine", options.get("engine", "auto"), get_args(EngineName))
    _check_word("distribute", options.get("distribute", "auto"), get_args(Distribute))
    return resolve(
        spark,
        model,
        version=options.get("version"),
        signature=options.get("signature"),
        tags=options.get("tags", ("serve",)),
    )


def handle_of(spark: SparkSession, package: ModelPackage, options: ScoreOptions) -> ModelHandle:
    """Distribute a package and return its handle; threads follow the CPUs of a task."""
    cpus = int(spark.conf.get("spark.task.cpus", "1") or 1)
    return ModelHandle.of(
        package,
        distribute(spark, package, options.get("distribute", "auto")),
        EngineOptions(name=options.get("engine", "auto"), intra_op_threads=cpus),
    )


def _check_word(option: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise UsageError(
            explain(f"There is no {option} {given!r}.", expected=listing(known), found=repr(given))
        )
