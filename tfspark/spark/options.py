"""The options that every Spark API shares, and the handle they make. Driver only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, get_args

import numpy as np
from pyspark.sql import Column, SparkSession

from tfspark.constants import Constant
from tfspark.engine import EngineName, EngineOptions
from tfspark.errors import UsageError, did_you_mean, explain, listing
from tfspark.fetching import Strings
from tfspark.handle import ModelHandle
from tfspark.package import ModelPackage
from tfspark.rows import WORDS, OnNull, is_on_null
from tfspark.signature import OutputShapes
from tfspark.spark.cluster.distribution import Distribute, distribute, resolve
from tfspark.spark.cluster.worker_python import check_worker_python

Model: TypeAlias = str | Path | ModelPackage
Engine: TypeAlias = EngineName | Literal["jvm"]


class ScoreOptions(TypedDict, total=False):
    """Keyword options of `predict`, `predict_udf`, `predict_rdd` and `register`.

    Keys:
        version: Version folder of a model given by path; by default the newest.
        signature: Signature to call; by default `serving_default`.
        tags: Tag set of the graph; by default `("serve",)`.
        batch_size: Rows per call of the model; by default as many as make 1 MiB of input and
            output, or less where this model is faster so; at most 131 072.
        engine: Engine that runs the model: `native`, `tensorflow`, by default the better of these
            that works on the workers; or `jvm`, the Scala bridge, where its jar is.
        distribute: How the model reaches the workers: `auto`, `broadcast`, `archive` or `path`.
        on_null: What becomes of a row with a null in an input: `null` (its outputs are null; the
            default), `error` (the scoring ends with an error that names it), or what is fed in
            place of the null: one number for all inputs of numbers, or input → value.
        output_shapes: Output → shape of one row, without the batch dimension, for outputs whose
            rank the model does not tell: `()` is one number, `None` a size that varies. Each batch
            is checked against it.
        sha256: The digest that the model must have, as `ModelPackage.digest` gives it; a model
            with another digest is refused before it is loaded.
        allow_ops: Operations that the model may contain although they touch files, the network,
            other processes or Python, such as `["ReadFile"]`; see `lint`.
    """

    version: int | None
    signature: str | None
    tags: Sequence[str]
    batch_size: int | None
    engine: Engine
    distribute: Distribute
    on_null: OnNull
    output_shapes: OutputShapes
    sha256: str | None
    allow_ops: Sequence[str]


def model_of(spark: SparkSession | None, model: Model, options: ScoreOptions) -> ModelPackage:
    """Return the package that the options choose.

    Raises:
        UsageError: When an option, its value, or an input to fill does not exist.
        BindingError: When `output_shapes` names no output, or contradicts the model.
        ForbiddenOperationError: When the model has operations that touch more than tensors and that
            `allow_ops` does not name.
        TfsparkError: When the model does not exist, is broken, lacks the signature, or has another
            digest than `sha256`.
    """
    _check_options(options)
    package = resolve(
        spark,
        model,
        version=options.get("version"),
        signature=options.get("signature"),
        tags=options.get("tags", ("serve",)),
        sha256=options.get("sha256"),
    ).allowing(options.get("allow_ops", ()))
    package.check_operations()
    _check_fills(package, options.get("on_null", "null"))
    shapes = options.get("output_shapes")
    return package.with_output_shapes(shapes) if shapes else package


def handle_of(spark: SparkSession, package: ModelPackage, options: ScoreOptions) -> ModelHandle:
    """Distribute a package and return its handle; threads follow the CPUs of a task.

    Raises:
        UsageError: When the engine is none of the workers'.
        EngineError: When local workers run another Python, which cannot score.
    """
    engine = options.get("engine", "auto")
    if engine == "jvm":
        hint = "score by predict, predict_udf or register."
        raise UsageError(explain('This API runs in Python and takes no engine="jvm".', hint=hint))
    check_worker_python(spark)
    cpus = int(spark.conf.get("spark.task.cpus", "1") or 1)
    return ModelHandle.of(
        package,
        distribute(spark, package, options.get("distribute", "auto")),
        EngineOptions(name=engine, intra_op_threads=cpus),
    )


def check_word(option: str, given: object, choices: Any) -> None:
    """Refuse a value that is not among those of a `Literal`.

    Raises:
        UsageError: With the values that there are.
    """
    known = get_args(choices)
    if given not in known:
        problem = f"The option {option} takes no {given!r}.{did_you_mean(str(given), known)}"
        raise UsageError(explain(problem, expected=listing(known), found=repr(given)))


def check_columns(
    *, feed: object = None, fetch: object = None, keep: object = None, strings: object = "string"
) -> None:
    """Refuse a feed, fetch, keep or strings of another kind.

    Raises:
        UsageError: With the kind that is expected.
    """
    kinds = (
        ("feed", feed, "a dict {input: column, expression, list of them, or constant}", _is_feed),
        ("fetch", fetch, "a dict {output: column}", _is_fetch),
        ("keep", keep, "a list of column names", _is_list_of_names),
    )
    for option, given, expected, fits in kinds:
        if given is not None and not fits(given):
            problem = f"The option {option} cannot be used as given."
            raise UsageError(explain(problem, expected=expected, found=repr(given)))
    check_word("strings", strings, Strings)


def _check_options(options: ScoreOptions) -> None:
    known = ScoreOptions.__annotations__
    for name in options.keys() - known.keys():
        problem = f"There is no option {name!r}.{did_you_mean(name, known)}"
        raise UsageError(explain(problem, expected=", ".join(known), found=name))
    check_word(
        "engine", options.get("engine", "auto"), Literal["auto", "native", "tensorflow", "jvm"]
    )
    check_word("distribute", options.get("distribute", "auto"), Distribute)
    allowed: object = options.get("allow_ops", ())
    if not _is_list_of_names(allowed):
        expected = 'a list of operations, such as ["ReadFile"]'
        problem = "The option allow_ops cannot be used as given."
        raise UsageError(explain(problem, expected=expected, found=repr(allowed)))
    on_null: object = options.get("on_null", "null")
    if not is_on_null(on_null):
        expected = f"{listing(WORDS)}, a number, or a dict {{input: value}}"
        problem = f"The option on_null takes no {on_null!r}.{did_you_mean(str(on_null), WORDS)}"
        raise UsageError(explain(problem, expected=expected, found=repr(on_null)))
    rows: object = options.get("batch_size")
    if rows is not None and not (isinstance(rows, Integral) and int(rows) >= 1):
        problem = "A batch needs rows."
        raise UsageError(explain(problem, expected="batch_size ≥ 1", found=repr(rows)))


def _check_fills(package: ModelPackage, on_null: OnNull) -> None:
    names = [spec.name for spec in package.signature.inputs]
    for name in on_null if isinstance(on_null, Mapping) else ():
        if name not in names:
            problem = f"on_null names {name!r}, which is no input.{did_you_mean(name, names)}"
            raise UsageError(explain(problem, expected=listing(names), found=name))


def _is_feed(given: object) -> bool:
    return isinstance(given, Mapping) and all(
        isinstance(value, str | Column) or is_constant(value) or _is_list_of_columns(value)
        for value in given.values()
    )


def is_constant(value: object) -> bool:
    """Whether a value of `feed` is a constant: a number, a bool, bytes, or sequences of them."""
    if isinstance(value, Constant | bool | int | float | bytes | np.generic):
        return True
    if isinstance(value, np.ndarray):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(map(is_constant, value))


def _is_list_of_columns(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and _are(value, str | Column)


def _is_fetch(given: object) -> bool:
    return isinstance(given, Mapping) and _are(given.values(), str)


def _is_list_of_names(given: object) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str) and _are(given, str)


def _are(values: Iterable[object], kind: Any) -> bool:
    return all(isinstance(value, kind) for value in values)
