"""`predict_udf`: a model as a column function, for `select`, `withColumn`, `where` and SQL. Driver.

Rows in, rows out, in order; arguments by name, as fields of one struct, or in the signature's
documented order (inputs sorted by name); one output gives a plain column, several give a struct.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions, check_word
from tfspark.spark.backend import backend_of
from tfspark.spark.model import Model
from tfspark.spark.model_function import FunctionRequest, Kind, ModelFunction

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
        kind: `arrow` hands Arrow arrays over as they are (Spark 4.1 and later); `pandas` makes a
            pandas UDF with equal results, which is slower.
        fetch: Output → field name of the result. Left out: all outputs, under their own names.
        spark: The session; by default the active one.
        options: See `ScoreOptions`.

    Returns:
        A function of columns; it gives one column, or a struct when several outputs are fetched.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: No such option, or not that value of it.
        BindingError: The outputs cannot be columns.

    Example:
        >>> score = predict_udf("models/linear_model")  # doctest: +SKIP
        >>> df.withColumn("y", score("features"))  # doctest: +SKIP
    """
    check_word("kind", kind, get_args(Kind))
    chosen = ScoreOptions.of(options)
    request = FunctionRequest.of(active_session(spark), model, fetch, chosen)
    return backend_of(chosen).function(request, kind)


def active_session(spark: SparkSession | None) -> SparkSession:
    """Return the session given, otherwise the active one.

    Raises:
        UsageError: When there is none.
    """
    session = spark or SparkSession.getActiveSession()
    if session is None:
        raise UsageError(
            explain(
                "There is no active Spark session.", hint="create one, or give it with spark=…."
            )
        )
    return session
