"""`predict`: scores a DataFrame, with one model or with several. Driver.

The result has the kept columns and then the predictions. It is lazy, like every DataFrame; errors
about names and types are raised at the call. `fed_frame` shows how `feed` reaches the engine;
`file_frame` lets tasks read the files of a frame themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from tfspark.bound_models import BoundModels, NamedModel, bind_each
from tfspark.errors import UsageError, explain
from tfspark.options import ColumnKeywords, is_list_of_names
from tfspark.schema import Binding
from tfspark.spark.backend import backend_of
from tfspark.spark.cluster.task_sketches import TaskSketches
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.declarative_pipelines import check_analysed
from tfspark.spark.fastest_engine import trial_on_frame, with_engines
from tfspark.spark.fed_frame import FedFrame, FeedValue
from tfspark.spark.model_loading import Model
from tfspark.spark.model_requests import ConfiguredModel, ModelRequest, loaded, requests_of
from tfspark.spark.pandas_frames import as_dataframe
from tfspark.spark.types import columns_of, output_schema
from tfspark.terms import PYTHON, Terms

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True)
class ScoredFrame:
    """A scored DataFrame, its models and their bindings."""

    frame: DataFrame
    bound: BoundModels


def predict(
    df: DataFrame,
    model: Model | Mapping[str, Model | ConfiguredModel],
    *,
    feed: Mapping[str, FeedValue] | None = None,
    fetch: Mapping[str, str] | None = None,
    keep: Sequence[str] | None = None,
    difference: bool = False,
    **options: Unpack[ColumnKeywords],
) -> DataFrame:
    """Score every row of a DataFrame.

    Args:
        df: Any DataFrame, or a frame of pandas API on Spark, whose index is kept. It is fastest
            with a plain read of local Parquet files, such as `spark.read.parquet(path)`: the tasks
            then read the files themselves, with the same result.
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
            Or several: a dict key → model, or key → `ConfiguredModel` for a model with its own
            feed, fetch or options. The rows go to Python once, and the new columns of a model begin
            with its key and `_`.
        feed: Input → column name, field of a struct (`s.field`), Column expression, list of such
            scalars to stack, or a constant (a number, a bool, bytes). By default, an input takes
            the column with its name. Without such a column, it takes its field of a struct that
            has fields for all inputs; a single input takes the only column of a suitable type. An
            input of serialized Examples takes a struct of features, or `INPUT.FEATURE` → column.
        fetch: Output → new column. By default all outputs, with their own names.
        keep: Columns to keep beside the predictions; by default all, in order.
        difference: With two models, add `difference_<output>` for each output of numbers that both
            have: the second model minus the first, as doubles; null where either is null, and for
            arrays of different lengths.
        options: See `ScoreOptions`.

    Returns:
        The kept columns, then one column per output. Row order inside a partition is kept. A row
        with a null in an input, at any depth, gives null outputs, unless `on_null` is set. With
        several models, a null or a bad row of one model changes only the columns of this model. The
        error of a bad row is raised when the rows are computed; Spark wraps it in a
        `PythonException`.

    Raises:
        ModelNotFoundError: When the path has no model, or not this version.
        InvalidModelError: When the model is broken or incomplete.
        SignatureNotFoundError: When the model has no such signature.
        ForbiddenOperationError: When the model has operations that do more than compute and are not
            in `allow_ops`.
        EngineError: When the engine cannot run the model, or the workers cannot score.
        UsageError: When an option or its value is invalid, or `df` is not a DataFrame.
        BindingError: When inputs, outputs and columns do not match; lists all mismatches.

    Example:
        >>> predict(df, "models/linear_model", feed={"inputs": "features"})  # doctest: +SKIP
        >>> predict(df, {"old": "models/m/1", "new": "models/m/2"})  # doctest: +SKIP
    """
    requests = requests_of(model, feed=feed, fetch=fetch, options=options)
    frame, index, convert_back = as_dataframe(df)
    kept = keep if keep is None or not is_list_of_names(keep) else [*index, *keep]
    scored = score_frame(frame, requests, keep=kept, difference=difference, direct=True)
    result: DataFrame = convert_back(scored.frame)
    return result


def score_frame(
    df: DataFrame,
    requests: Sequence[ModelRequest],
    *,
    keep: Sequence[str] | None,
    difference: bool = False,
    terms: Terms = PYTHON,
    sketches: TaskSketches | None = None,
    direct: bool = False,
) -> ScoredFrame:
    """Score a frame like `predict`, and return the bindings too.

    Args:
        df: The frame.
        requests: The models.
        keep: See `predict`.
        difference: See `predict`.
        terms: The spelling of options in hints.
        sketches: Receives the statistics of the rows.
        direct: Whether tasks may read the files of the frame themselves, if the result is the same.
    """
    _check_frame(df)
    check_analysed(df)
    feds, bound = _bound(df, requests, keep, difference, terms)
    bound.log()
    fed, in_frame = _joined(df, feds, bound)
    in_frame = with_engines(df.sparkSession, in_frame, trial_on_frame(fed))
    backend = backend_of(bound.models[0].options)
    frame = backend.predict(fed, in_frame, sketches, direct=direct)
    return ScoredFrame(frame, replace(bound, models=in_frame.models))


def scored_schema(
    df: DataFrame,
    requests: Sequence[ModelRequest],
    *,
    keep: Sequence[str] | None,
    terms: Terms = PYTHON,
) -> StructType:
    """Return the schema of a scored frame. No model is sent to the workers.

    Raises:
        UsageError: When feed, fetch or keep has a wrong type.
        BindingError: When inputs, outputs and columns do not match; lists all mismatches.
    """
    feds, bound = _bound(df, requests, keep, False, terms)
    return output_schema(feds[0].kept_schema, bound)


def _bound(
    df: DataFrame,
    requests: Sequence[ModelRequest],
    keep: Sequence[str] | None,
    difference: bool,
    terms: Terms,
) -> tuple[list[FedFrame], BoundModels]:
    """Check the columns of a frame against the models."""
    for request in requests:
        check_columns(feed=request.feed, fetch=request.fetch, keep=keep)
    packages = loaded(df.sparkSession, requests)
    pairs = list(zip(requests, packages, strict=True))
    feds = [FedFrame.of(df, one.signature, request.feed, keep) for request, one in pairs]
    models = [
        NamedModel(request.key, package, request.options, fed.feed, request.fetch)
        for (request, package), fed in zip(pairs, feds, strict=True)
    ]
    bound = bind_each(
        models,
        [columns_of(fed.frame.schema) for fed in feds],
        taken=feds[0].kept_schema.names,
        case_sensitive=feds[0].case_sensitive,
        terms=terms,
        difference=difference,
    )
    feds[0].check_kept(terms, in_jvm=requests[0].options.engine == "jvm")
    return feds, bound


def score_bound(
    df: DataFrame,
    bound: BoundModels,
    *,
    feeds: Sequence[Mapping[str, FeedValue] | None],
    keep: Sequence[str] | None,
    sketches: TaskSketches | None = None,
) -> DataFrame:
    """Score some rows of a frame with the bindings that `score_frame` returned for all rows."""
    feds = [
        FedFrame.of(df, model.package.signature, feed, keep)
        for model, feed in zip(bound.models, feeds, strict=True)
    ]
    fed, in_frame = _joined(df, feds, bound)
    return backend_of(bound.models[0].options).predict(fed, in_frame, sketches)


def _joined(
    df: DataFrame, feds: Sequence[FedFrame], bound: BoundModels
) -> tuple[FedFrame, BoundModels]:
    """Return one frame for all models, and the bindings to its columns."""
    fed, names = feds[0].joined(df, feds[1:])
    pairs = zip(bound.bindings, names, strict=True)
    bindings = tuple(_renamed(binding, own) for binding, own in pairs)
    return fed, replace(bound, bindings=bindings)


def _renamed(binding: Binding, names: Mapping[str, str]) -> Binding:
    """Return the same binding for a frame in which some columns have other names."""
    inputs = tuple(one.renamed(names) for one in binding.inputs)
    return replace(binding, inputs=inputs)


def _check_frame(df: object) -> None:
    if not hasattr(df, "mapInArrow"):
        found = f"{type(df).__module__}.{type(df).__name__}"
        hint = "make one with spark.createDataFrame(…); predict_rdd scores RDDs."
        problem = "predict scores only Spark DataFrames."
        raise UsageError(explain(problem, expected="pyspark.sql.DataFrame", found=found, hint=hint))
