"""`register`: a model under a name that SQL calls. Driver.

Afterwards `SELECT name(features) FROM t` works in the session, on tables, views and Hive tables
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyspark
from pyspark.sql import SparkSession

from tfspark.errors import UsageError, explain
from tfspark.fetching import Strings
from tfspark.spark.functions import ModelFunction, has_arrow_udfs, predict_udf
from tfspark.spark.jvm import register_in_jvm
from tfspark.spark.options import Model, ScoreOptions, model_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


def register(
    spark: SparkSession,
    name: str,
    model: Model,
    *,
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    **options: Unpack[ScoreOptions],
) -> ModelFunction:
    """Register a model as a SQL function of this session.

    Args:
        spark: The session.
        name: Name in SQL, such as `tfpredict`.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        fetch: Output → field name of the result. Left out: all outputs, under their own names.
        narrow: Allow to feed numbers that may have fractions to an integer input.
        strings: Spark type of string outputs: `string` or `binary`.
        options: See `ScoreOptions`.

    Returns:
        The function, which also works on columns. In SQL its argument is one struct whose fields
        are named like the inputs; or its arguments are the inputs in the signature's documented
        order (sorted by name), or the elements of a single vector input.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: SQL has a function of that name, which it would go on to call; or this Spark
            is older than 4.1, whose SQL can call no Python function that sees nulls and types.
        BindingError: The outputs cannot be columns.

    Example:
        >>> register(spark, "tfpredict", "models/linear_model")  # doctest: +SKIP
        >>> spark.sql("SELECT features, tfpredict(features) AS y_preds FROM t")  # doctest: +SKIP
    """
    package = model_of(spark, model, options)
    in_jvm = options.get("engine") == "jvm"
    if not (in_jvm or has_arrow_udfs()):
        raise _too_old()
    _check_name(spark, name)
    function = predict_udf(
        package, fetch=fetch, narrow=narrow, strings=strings, spark=spark, **options
    )
    if in_jvm:
        register_in_jvm(spark, name, package, options, fetch=fetch, narrow=narrow, strings=strings)
    else:
        spark.udf.register(name, function.udf)
    return function


def _too_old() -> UsageError:
    """Return the error of a Spark whose SQL calls only pandas UDFs and functions of single rows.

    A pandas UDF sees NaN for a null and no types. `ModelFunction` sends both beside the values; a
    user of SQL would have to write them into each call.
    """
    return UsageError(
        explain(
            "The SQL of this Spark cannot call a model.",
            expected="Spark 4.1 or later",
            found=f"Spark {pyspark.__version__}",
            hint='score by predict, or by predict_udf(…, kind="pandas") on columns.',
        )
    )


def _check_name(spark: SparkSession, name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    if (
        spark.sql(f"SHOW SYSTEM FUNCTIONS LIKE '{quoted}'")
        .where(f"function = lower('{quoted}')")
        .count()
    ):
        raise UsageError(
            explain(f"SQL has a function {name!r} of its own.", hint="choose another name.")
        )
