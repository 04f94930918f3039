"""Loads and checks the model that the caller names, and makes its handle. Driver."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from pyspark.sql import SparkSession

from tfspark.engine import EngineOptions
from tfspark.engine.registry import check_model
from tfspark.engine_choice import EngineChoice
from tfspark.errors import UsageError, did_you_mean, explain, listing
from tfspark.features import parts_of
from tfspark.handle import ModelHandle
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.spark.cluster.distribution import distribute, resolve
from tfspark.spark.cluster.worker_python import check_worker_python

_log = logging.getLogger(__name__)

Model: TypeAlias = str | Path | ModelPackage


def model_of(spark: SparkSession | None, model: Model, options: ScoreOptions) -> ModelPackage:
    """Return the package that the options select.

    Raises:
        UsageError: When an input to fill does not exist.
        BindingError: When `output_shapes` names no output, or contradicts the model.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        EngineError: When the engine in the options cannot run the model.
        TfsparkError: When the model does not exist, is broken, lacks the signature, or has another
            digest than `sha256`.
    """
    package = resolve(
        spark,
        model,
        version=options.version,
        signature=options.signature,
        tags=options.tags,
        sha256=options.sha256,
    ).allowing(options.allow_ops)
    package.check_operations()
    check_model(options.engine, package.path, package.tags, package.signature)
    _check_fills(package, options)
    if package.random:
        _log.warning(
            "model %s draws random numbers (%s), so a row gets another prediction each time; to "
            "prevent this, export it with training=False",
            package.name,
            listing(package.random),
        )
    shapes = options.output_shapes
    return package.with_output_shapes(shapes) if shapes else package


def handle_of(
    spark: SparkSession,
    package: ModelPackage,
    options: ScoreOptions,
    choice: EngineChoice | None = None,
) -> ModelHandle:
    """Distribute a package and return its handle; threads follow the CPUs of a task.

    Args:
        spark: The session.
        package: The model.
        options: How to score.
        choice: The fastest engine, if it is known; until then, `auto` is used.

    Raises:
        UsageError: When the engine does not run in Python workers.
        EngineError: When local workers run another Python, which cannot score.
    """
    if options.engine == "jvm":
        hint = "score with predict, predict_udf or register."
        raise UsageError(explain('This API does not support engine="jvm".', hint=hint))
    check_worker_python(spark, options.engine)
    cpus = int(spark.conf.get("spark.task.cpus", "1") or 1)
    handle = ModelHandle.of(
        package,
        distribute(spark, package, options.distribute),
        EngineOptions(
            name="auto" if options.engine == "fastest" else options.engine, intra_op_threads=cpus
        ),
    )
    return handle if choice is None else handle.with_choice(choice)


def refuse_fastest(options: ScoreOptions) -> None:
    """Refuse the choice of an engine in an API that has no rows to time.

    Raises:
        UsageError: The hint says how to find the engine.
    """
    if options.engine == "fastest":
        problem = "This API has no rows before it runs, so it cannot time the engines."
        hint = "name the engine; tfspark.testing.compare_engines(model, rows) times them."
        raise UsageError(explain(problem, found='engine="fastest"', hint=hint))


def _check_fills(package: ModelPackage, options: ScoreOptions) -> None:
    signature = package.signature
    names = [spec.name for spec in signature.inputs]
    for name in options.on_null if isinstance(options.on_null, Mapping) else ():
        if parts_of(name, signature.example_inputs)[0] not in names:
            problem = f"on_null names {name!r}, which is not an input.{did_you_mean(name, names)}"
            raise UsageError(explain(problem, expected=listing(names), found=name))
