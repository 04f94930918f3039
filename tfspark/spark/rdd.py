"""`predict_rdd`: score an RDD of Python values by mapPartitions. Driver; classic Spark only.

There is one prediction per element, in order and in the same partitions, so that
`rdd.zip(predictions)` pairs them. How elements feed a model is in `worker.element_scorer`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark import RDD
from pyspark.sql import SparkSession

from tfspark.constants import Constant
from tfspark.errors import BindingError, UsageError, did_you_mean, explain, explain_all, listing
from tfspark.fetching import Strings
from tfspark.schema import bind_outputs, warnings_of
from tfspark.signature import Signature
from tfspark.spark.options import (
    Model,
    ScoreOptions,
    check_columns,
    handle_of,
    is_constant,
    model_of,
)
from tfspark.spark.worker.element_scorer import ElementScorer

if TYPE_CHECKING:
    from typing_extensions import Unpack

_log = logging.getLogger(__name__)


def predict_rdd(
    rdd: RDD[Any],
    model: Model,
    *,
    feed: Mapping[str, Any] | None = None,
    fetch: Mapping[str, str] | None = None,
    strings: Strings = "string",
    **options: Unpack[ScoreOptions],
) -> RDD[Any]:
    """Score every element of an RDD.

    Args:
        rdd: Elements are the value of the single input (number, string, list or NumPy array), or a
            dict or Row that holds the inputs by name. `None` gives `None`. A Row without the name
            of the single input is its value: the only field, else all fields as a list.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → key of the dict or Row, by default the input's own name; or a constant.
        fetch: Output → key in the result. Left out: all outputs, under their own names.
        strings: Whether string outputs come as `string` (str) or `binary` (bytes).
        options: See `ScoreOptions`.

    Returns:
        One prediction per element: the value of a single output, or a dict of several.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: No such option, or not that value of it.
        BindingError: The outputs cannot be returned, or `feed` names no input.
    """
    check_columns(feed=feed, fetch=fetch, strings=strings)
    given: object = rdd
    if not isinstance(given, RDD):
        found = f"{type(given).__module__}.{type(given).__name__}"
        problem = "Only an RDD can be scored by predict_rdd."
        hint = "score a DataFrame by predict(df, model)."
        raise UsageError(explain(problem, expected="pyspark.RDD", found=found, hint=hint))
    spark = SparkSession(rdd.context)
    package = model_of(spark, model, options)
    bind_outputs(
        package.signature, fetch=fetch, strings=strings, batch_size=options.get("batch_size")
    )
    _check_feed(package.signature, feed or {})
    for warning in warnings_of(package.signature):
        _log.warning(warning)
    scorer = ElementScorer(
        handle_of(spark, package, options),
        {name: key for name, key in (feed or {}).items() if not is_constant(key)},
        {name: Constant(value) for name, value in (feed or {}).items() if is_constant(value)},
        fetch,
        strings,
        options.get("on_null", "null"),
        options.get("batch_size"),
    )
    return rdd.mapPartitions(scorer, preservesPartitioning=True)


def _check_feed(signature: Signature, feed: Mapping[str, Any]) -> None:
    inputs = [spec.name for spec in signature.inputs]
    unknown = [
        f"feed names {name!r}, which is no input ({listing(inputs)}).{did_you_mean(name, inputs)}"
        for name in feed
        if name not in inputs
    ]
    if unknown:
        raise BindingError(explain_all(f"Signature {signature.name!r} does not fit", unknown))
