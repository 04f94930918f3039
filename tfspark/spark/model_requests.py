"""The models that a caller names, with their feed, fetch and options. Driver.

A call names one model, or several by keys. The options of the call are the defaults of all models;
a `ConfiguredModel` has its own. Everything that can be wrong about the models is listed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pyspark.sql import SparkSession

from tfspark.bound_models import NamedModel
from tfspark.errors import TfsparkError, UsageError, explain
from tfspark.options import ColumnKeywords, ScoreOptions
from tfspark.package import ModelPackage
from tfspark.spark.fed_frame import FeedValue
from tfspark.spark.model_loading import Model, model_of

if TYPE_CHECKING:
    from typing_extensions import Unpack


_T = TypeVar("_T")


class ConfiguredModel:
    """One of several models of `predict`, with its own feed, fetch or options.

    Args:
        model: A path, a URI that Spark reads, or a loaded `ModelPackage`.
        feed: As in `predict`; by default the feed of the call.
        fetch: As in `predict`; by default the fetch of the call.
        options: See `ScoreOptions`; an option that is not given has the value of the call.

    Example:
        >>> ConfiguredModel("models/m/2", feed={"x": "features"})  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Model,
        *,
        feed: Mapping[str, FeedValue] | None = None,
        fetch: Mapping[str, str] | None = None,
        **options: Unpack[ColumnKeywords],
    ) -> None:
        self.model, self.feed, self.fetch, self.options = model, feed, fetch, options


@dataclass(frozen=True)
class ModelRequest:
    """A model with everything that the caller says about it.

    Attributes:
        key: The prefix of its columns; empty for a single model.
        model: The model.
        feed: Input → column, expression, columns or constant.
        fetch: Output → column, without the prefix.
        options: How to score.
    """

    key: str
    model: Model
    feed: Mapping[str, FeedValue] | None
    fetch: Mapping[str, str] | None
    options: ScoreOptions

    @classmethod
    def of(cls, model: NamedModel) -> ModelRequest:
        """Return the request for a model that is loaded."""
        return cls(model.key, model.package, model.feed, model.fetch, model.options)


def requests_of(
    model: Model | Mapping[str, Model | ConfiguredModel],
    *,
    feed: Mapping[str, FeedValue] | None,
    fetch: Mapping[str, str] | None,
    options: ColumnKeywords,
) -> list[ModelRequest]:
    """Return one request for each model of a call.

    Raises:
        UsageError: When the models have no keys, or an option is invalid.
    """
    if not isinstance(model, Mapping):
        return [ModelRequest("", model, feed, fetch, ScoreOptions.of(options))]
    _check_keys(model)

    def request(key: str) -> ModelRequest:
        given = model[key]
        own = given if isinstance(given, ConfiguredModel) else ConfiguredModel(given)
        return ModelRequest(
            key,
            own.model,
            feed if own.feed is None else own.feed,
            fetch if own.fetch is None else own.fetch,
            ScoreOptions.of(cast("ColumnKeywords", {**options, **own.options})),
        )

    return _each(list(model), request)


def loaded(spark: SparkSession, requests: Sequence[ModelRequest]) -> list[ModelPackage]:
    """Return the packages of the requests.

    Raises:
        TfsparkError: From `model_of`. The error of several models has the type of the first one and
            the messages of all.
    """
    by_key = {request.key: request for request in requests}
    return _each(list(by_key), lambda key: model_of(spark, by_key[key].model, by_key[key].options))


def _check_keys(models: Mapping[Any, object]) -> None:
    if not models or not all(isinstance(key, str) and key for key in models):
        problem = "Several models are given by their keys."
        expected = 'a dict with one model or more, such as {"a": model_a, "b": model_b}'
        raise UsageError(explain(problem, expected=expected, found=repr(dict(models))))


def _each(keys: Sequence[str], do: Callable[[str], _T]) -> list[_T]:
    """Return the result of each key, or raise the errors of all keys as one."""
    found: list[_T] = []
    errors: dict[str, TfsparkError] = {}
    for key in keys:
        try:
            found.append(do(key))
        except TfsparkError as error:
            if not key:
                raise
            errors[key] = error
    if errors:
        first = next(iter(errors.values()))
        raise type(first)("\n".join(f"Model {key!r}: {error}" for key, error in errors.items()))
    return found
