"""`predict`: score a DataFrame. Driver.

The result has the kept columns and then the predictions. It is lazy, as every DataFrame; what can
be wrong about names and types is raised at the call. `fed_frame` shows how `feed` gets to the
engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame

from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions
from tfspark.schema import Binding
from tfspark.spark.backend import backend_of
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.fed_frame import FedFrame, FeedValue
from tfspark.spark.model import Model, model_of
from tfspark.spark.pipelines import check_analysed
from tfspark.terms import PYTHON, Terms

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class ScoredFrame:
    """A scored DataFrame and the binding by which its rows are scored."""

    frame: DataFrame
    binding: Binding


def predict(
    df: DataFrame,
    model: Model,
    *,
    feed: Mapping[str, FeedValue] | None = None,
    fetch: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    **options: Unpack[ColumnKeywords],
) -> DataFrame:
    """Score every row of a DataFrame.

    Args:
        df: Any DataFrame.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        feed: Input → column name, field of a struct (`s.field`), Column expression, list of such
            scalars to stack, or a constant (a number, a bool, bytes). An input left out takes the
            column of its own name, or the field of its name of the one struct that has the fields
            of all; a single input takes the single fitting column.
        fetch: Output → new column. Left out: all outputs, under their own names.
        keep: Columns to pass on beside the predictions; by default all, in order.
        options: See `ScoreOptions`.

    Returns:
        The kept columns, then one column per output. Row order inside a partition is kept. A row
        with a null in an input, at any depth, gives null outputs unless `on_null` says otherwise.

    Raises:
        ModelNotFoundError: No model, or no such version, at the path.
        InvalidModelError: The model is broken or incomplete.
        SignatureNotFoundError: No such signature.
        UsageError: No such option, or not that value of it; or no DataFrame.
        BindingError: Inputs, outputs and columns do not fit; all mismatches in one message.

    Example:
        >>> predict(df, "models/linear_model", feed={"inputs": "features"})  # doctest: +SKIP
    """
    chosen = ScoreOptions.of(options)
    return score_frame(df, model, feed=feed, fetch=fetch, keep=keep, options=chosen).frame


def score_frame(
    df: DataFrame,
    model: Model,
    *,
    feed: Mapping[str, FeedValue] | None,
    fetch: Mapping[str, str] | None,
    keep: Sequence[str] | None,
    options: ScoreOptions,
    terms: Terms = PYTHON,
) -> ScoredFrame:
    """Do what `predict` does, and return the binding too; hints are in the words of `terms`."""
    check_columns(feed=feed, fetch=fetch, keep=keep)
    _check_frame(df)
    check_analysed(df)
    package = model_of(df.sparkSession, model, options)
    fed = FedFrame.of(df, package.signature, feed, keep)
    binding = fed.bind(package.signature, fetch, options, terms)
    binding.log()
    fed.check_kept(terms)
    return ScoredFrame(backend_of(options).predict(fed, package, binding, options), binding)


def _check_frame(df: object) -> None:
    if not hasattr(df, "mapInArrow"):
        found = f"{type(df).__module__}.{type(df).__name__}"
        hint = "make one by spark.createDataFrame(…); an RDD is scored by predict_rdd."
        problem = "Only a Spark DataFrame can be scored by predict."
        raise UsageError(explain(problem, expected="pyspark.sql.DataFrame", found=found, hint=hint))
