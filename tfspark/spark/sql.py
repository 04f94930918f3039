"""`register`: registers a model as a SQL function. Driver.

Then `SELECT name(features) FROM t` works in the session, on tables, views and Hive tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions
from tfspark.spark.backend import backend_of
from tfspark.spark.model_function import FunctionRequest, ModelFunction
from tfspark.spark.model_loading import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack


def register(
    spark: SparkSession,
    name: str,
    model: Model,
    *,
    fetch: Mapping[str, str] | None = None,
    replace: bool = True,
    **options: Unpack[ColumnKeywords],
) -> ModelFunction:
    """Register a model as a SQL function of this session.

    Args:
        spark: The session.
        name: Name in SQL, such as `tfpredict`.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        fetch: Output → field name of the result. By default all outputs, with their own names.
        replace: Whether another function of the session may have this name; it is replaced. A
            function of the catalog with this name is hidden while the session runs.
        options: See `ScoreOptions`.

    Returns:
        The function, which also works on columns. In SQL its argument is one struct with the names
        of the inputs as fields. Or its arguments are the inputs in the documented order of the
        signature (sorted by name), or the elements of a single vector input.

    Raises:
        ModelNotFoundError: When the path has no model, or not this version.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such signature.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        EngineError: When the engine cannot run the model, or the workers cannot score.
        UsageError: When SQL already has a function with this name, and would call it instead of the
            model; when any function has this name and `replace` is false; or when this Spark is
            older than 4.1, which has no Arrow UDFs.
        BindingError: When the outputs cannot be columns.

    Example:
        >>> register(spark, "tfpredict", "models/linear_model")  # doctest: +SKIP
        >>> spark.sql("SELECT features, tfpredict(features) AS y_preds FROM t")  # doctest: +SKIP
    """
    chosen = ScoreOptions.of(options)
    if not replace and spark.catalog.functionExists(name):
        problem = f"The function {name!r} already exists."
        hint = "choose another name, or replace it with replace=True."
        raise UsageError(explain(problem, hint=hint))
    return register_function(spark, name, model, fetch, chosen)


def register_function(
    spark: SparkSession,
    name: str,
    model: Model,
    fetch: Mapping[str, str] | None,
    options: ScoreOptions,
) -> ModelFunction:
    """Register a model like `register`, with a `ScoreOptions`."""
    request = FunctionRequest.of(spark, model, fetch, options)
    _check_name(spark, name)
    return backend_of(options).register(request, name)


def _check_name(spark: SparkSession, name: str) -> None:
    if not name.strip():
        problem = "A SQL function needs a name."
        raise UsageError(explain(problem, expected="a name such as 'tfpredict'", found=repr(name)))
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    if (
        spark.sql(f"SHOW SYSTEM FUNCTIONS LIKE '{quoted}'")
        .where(f"function = lower('{quoted}')")
        .count()
    ):
        raise UsageError(
            explain(f"SQL has a built-in function {name!r}.", hint="choose another name.")
        )
