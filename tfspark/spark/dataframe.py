"""`predict`: scores a DataFrame. Driver.

The result has the kept columns and then the predictions. It is lazy, like every DataFrame; errors
about names and types are raised at the call. `fed_frame` shows how `feed` reaches the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions
from tfspark.package import ModelPackage
from tfspark.schema import Binding
from tfspark.spark.backend import backend_of
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.fed_frame import FedFrame, FeedValue
from tfspark.spark.model import Model, model_of
from tfspark.spark.pipelines import check_analysed
from tfspark.spark.types import output_schema
from tfspark.terms import PYTHON, Terms

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ColumnChoice(TypedDict):
    """The columns that `predict` feeds, fetches and keeps."""

    feed: Mapping[str, FeedValue] | None
    fetch: Mapping[str, str] | None
    keep: Sequence[str] | None


@dataclass(frozen=True)
class ScoredFrame:
    """A scored DataFrame and its binding."""

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
            scalars to stack, or a constant (a number, a bool, bytes). By default, an input takes
            the column with its name. If there is none, and one struct has fields for all inputs, it
            takes its field; a single input takes the only column of a suitable type.
        fetch: Output → new column. By default all outputs, with their own names.
        keep: Columns to keep beside the predictions; by default all, in order.
        options: See `ScoreOptions`.

    Returns:
        The kept columns, then one column per output. Row order inside a partition is kept. A row
        with a null in an input, at any depth, gives null outputs, unless `on_null` is set.

    Raises:
        ModelNotFoundError: When the path has no model, or not this version.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such signature.
        UsageError: When an option or its value is invalid, or `df` is not a DataFrame.
        BindingError: When inputs, outputs and columns do not match; lists all mismatches.

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
    """Score a frame like `predict`, and return the binding too; `terms` spell the hints."""
    check_columns(feed=feed, fetch=fetch, keep=keep)
    _check_frame(df)
    check_analysed(df)
    package = model_of(df.sparkSession, model, options)
    columns = ColumnChoice(feed=feed, fetch=fetch, keep=keep)
    fed, binding = _bound(df, package, columns, options, terms)
    binding.log()
    return ScoredFrame(backend_of(options).predict(fed, package, binding, options), binding)


def scored_schema(
    df: DataFrame,
    package: ModelPackage,
    columns: ColumnChoice,
    options: ScoreOptions,
    terms: Terms = PYTHON,
) -> StructType:
    """Return the schema of a scored frame. The model is not sent to the workers.

    Raises:
        UsageError: When feed, fetch or keep has a wrong type.
        BindingError: When inputs, outputs and columns do not match; lists all mismatches.
    """
    check_columns(**columns)
    fed, binding = _bound(df, package, columns, options, terms)
    return output_schema(fed.kept_schema, binding)


def _bound(
    df: DataFrame,
    package: ModelPackage,
    columns: ColumnChoice,
    options: ScoreOptions,
    terms: Terms,
) -> tuple[FedFrame, Binding]:
    """Check the columns of a frame against a model."""
    fed = FedFrame.of(df, package.signature, columns["feed"], columns["keep"])
    binding = fed.bind(package.signature, columns["fetch"], options, terms)
    fed.check_kept(terms)
    return fed, binding


def score_bound(
    df: DataFrame,
    package: ModelPackage,
    binding: Binding,
    *,
    feed: Mapping[str, FeedValue] | None,
    keep: Sequence[str] | None,
    options: ScoreOptions,
) -> DataFrame:
    """Score some rows of a frame with the binding that `score_frame` returned for all rows."""
    fed = FedFrame.of(df, package.signature, feed, keep)
    return backend_of(options).predict(fed, package, binding, options)


def _check_frame(df: object) -> None:
    if not hasattr(df, "mapInArrow"):
        found = f"{type(df).__module__}.{type(df).__name__}"
        hint = "make one by spark.createDataFrame(…); an RDD is scored by predict_rdd."
        problem = "Only a Spark DataFrame can be scored by predict."
        raise UsageError(explain(problem, expected="pyspark.sql.DataFrame", found=found, hint=hint))
