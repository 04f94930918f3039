"""`predict_udf`: makes a column function of a model, for DataFrames and SQL. Driver.

The function keeps the order of rows. Its arguments are given by name, as fields of one struct, or
in the documented order of the signature (inputs sorted by name). A single output gives a plain
column, several outputs give a struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions, check_word
from tfspark.spark.backend import backend_of
from tfspark.spark.model_function import FunctionRequest, Kind, ModelFunction
from tfspark.spark.model_loading import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack


def predict_udf(
    model: Model,
    *,
    kind: Kind = "arrow",
    fetch: Mapping[str, str] | None = None,
    spark: SparkSession | None = None,
    **options: Unpack[ColumnKeywords],
) -> ModelFunction:
    """Make a column function of a model.

    Args:
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        kind: `arrow` (the default) passes Arrow arrays without a conversion (Spark 4.1 and later);
            `pandas` makes a pandas UDF with equal results, which is slower.
        fetch: Output → field name of the result. By default all outputs, with their own names.
        spark: The session; by default the active one.
        options: See `ScoreOptions`.

    Returns:
        A function of columns; it gives one column, or a struct when several outputs are fetched.

    Raises:
        ModelNotFoundError: When the path has no model, or not this version.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such signature.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        EngineError: When the engine cannot run the model, or the workers cannot score.
        UsageError: When an option or its value is invalid.
        BindingError: When the outputs cannot be columns.

    Example:
        >>> score = predict_udf("models/linear_model")  # doctest: +SKIP
        >>> df.withColumn("y", score("features"))  # doctest: +SKIP
    """
    check_word("kind", kind, get_args(Kind))
    chosen = ScoreOptions.of(options)
    request = FunctionRequest.of(active_session(spark), model, fetch, chosen)
    return backend_of(chosen).function(request, kind)


def active_session(spark: SparkSession | None) -> SparkSession:
    """Return the given session, otherwise the active one.

    Spark knows the active session of a thread; in a new thread, the last session that was made is
    used.

    Raises:
        UsageError: When there is none.
    """
    if spark is not None:
        return spark
    try:
        return SparkSession.active()
    except PySparkException as error:
        raise UsageError(
            explain(
                "There is no active Spark session.", hint="create one, or give it with spark=…."
            )
        ) from error
