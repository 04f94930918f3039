"""`predict_rdd`: scores an RDD of Python values. Driver; classic Spark only.

There is one prediction per element, in order and in the same partitions, so that
`rdd.zip(predictions)` pairs them. `worker.element_scorer` feeds the elements to a model.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark import RDD
from pyspark.sql import SparkSession

from tfspark.constants import Constant, is_constant, misfit
from tfspark.errors import BindingError, UsageError, did_you_mean, explain, explain_all, listing
from tfspark.features import parts_of
from tfspark.options import ScoreKeywords, ScoreOptions
from tfspark.row_warnings import warnings_of
from tfspark.schema import bind_outputs
from tfspark.signature import Signature
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.model_loading import Model, handle_of, model_of, refuse_fastest
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
    **options: Unpack[ScoreKeywords],
) -> RDD[Any]:
    """Score every element of an RDD.

    Args:
        rdd: An element is the value of the single input (number, string, list, NumPy array, vector
            or matrix of Spark ML), or a dict or Row with the inputs by name. `None` gives `None`.
            If a Row lacks the name of the single input, its only field is the value, or the list of
            all fields.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → key of the dict or Row, by default the input's own name; or a constant. For an
            input of Examples, `INPUT.FEATURE` → key; an element without this key does not have the
            feature.
        fetch: Output → key in the result. By default all outputs, with their own names.
        options: See `ScoreOptions`.

    Returns:
        One prediction per element: the value of a single output, or a dict of several.

    Raises:
        ModelNotFoundError: When the path has no model, or not this version.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such signature.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        EngineError: When the engine cannot run the model, or the workers cannot score.
        UsageError: When an option or its value is invalid.
        BindingError: When an output cannot be returned, or `feed` names an unknown input.
    """
    chosen = ScoreOptions.of(options, ScoreKeywords)
    check_columns(feed=feed, fetch=fetch)
    refuse_fastest(chosen)
    _check_rdd(rdd)
    spark = SparkSession.builder.getOrCreate()  # a new object would change `toDF` of RDDs
    package = model_of(spark, model, chosen)
    outputs = bind_outputs(package.signature, fetch=fetch, options=chosen)
    given = feed or {}
    _check_keys(given)
    _check_feed(package.signature, given)
    fetched = [one.spec.name for one in outputs]
    for warning in warnings_of(package.signature, batch_size=chosen.batch_size, outputs=fetched):
        _log.warning(warning)
    scorer = ElementScorer(
        handle_of(spark, package, chosen),
        {name: key for name, key in given.items() if not is_constant(key)},
        {name: Constant(value) for name, value in given.items() if is_constant(value)},
        fetch,
        replace(chosen, narrow=True),
    )
    return rdd.mapPartitions(scorer)


def _check_rdd(rdd: object) -> None:
    if not isinstance(rdd, RDD):
        found = f"{type(rdd).__module__}.{type(rdd).__name__}"
        problem = "predict_rdd scores only RDDs."
        hint = "score a DataFrame with predict(df, model)."
        raise UsageError(explain(problem, expected="pyspark.RDD", found=found, hint=hint))


def _check_keys(feed: Mapping[str, Any]) -> None:
    """Refuse columns, which an RDD does not have."""
    for name, key in feed.items():
        if not (isinstance(key, str) or is_constant(key)):
            problem = f"feed cannot give {name!r} columns or expressions: an RDD has none."
            expected = "the key of one value in a dict or Row, or a constant"
            hint = "combine or compute values with rdd.map first."
            raise UsageError(explain(problem, expected=expected, found=repr(key), hint=hint))


def _check_feed(signature: Signature, feed: Mapping[str, Any]) -> None:
    inputs = [spec.name for spec in signature.inputs]
    owners = {name: parts_of(name, signature.example_inputs) for name in feed}
    unknown = [
        f"feed names {name!r}, which is not an input ({listing(inputs)})."
        f"{did_you_mean(name, inputs)}"
        for name, (owner, _) in owners.items()
        if owner not in inputs
    ]
    for spec in signature.inputs:
        parsed = [one.name for one in spec.features or ()]
        unknown += [
            f"the graph does not show that input {spec} has the feature {feature!r}."
            f"{did_you_mean(feature, parsed)}"
            for owner, feature in owners.values()
            if feature and owner == spec.name and feature not in parsed
        ]
    unknown += _bad_constants(signature.by_rows() if signature.is_row_by_row else signature, feed)
    if unknown:
        raise BindingError(explain_all(f"Signature {signature.name!r} does not fit", unknown))


def _bad_constants(signature: Signature, feed: Mapping[str, Any]) -> list[str]:
    """Return why the constants cannot feed their inputs, or that they leave none to an element."""
    given = {name: Constant(value) for name, value in feed.items() if is_constant(value)}
    misfits = [
        f"input {spec}: {misfit(given[spec.name], spec)}"
        for spec in signature.inputs
        if spec.name in given and misfit(given[spec.name], spec)
    ]
    if given.keys() >= {spec.name for spec in signature.inputs}:
        misfits.append("only constants feed the signature; one input needs the elements")
    return misfits
