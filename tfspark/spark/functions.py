"""`predict_udf`: a model as a column function, for `select`, `withColumn`, `where` and SQL.

In comes a model, out goes a `ModelFunction` that makes column expressions. Outputs are checked at
the call; the types of the arguments are known to Spark alone, so inputs are bound by the first
batch on the executor, with the same messages.

Invariants: rows in, rows out, in order; arguments in the signature's documented order (inputs
sorted by name), or by name; one output gives a plain column, several give a struct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, UsageError, explain, listing
from tfspark.schema import Strings, bind_outputs
from tfspark.signature import Signature
from tfspark.spark.argument_scorer import ArgumentScorer, wrong_count
from tfspark.spark.jvm import function_in_jvm
from tfspark.spark.options import (
    Model,
    ScoreOptions,
    check_columns,
    check_word,
    handle_of,
    model_of,
)
from tfspark.spark.types import udf_type

if TYPE_CHECKING:
    from typing_extensions import Unpack

Kind: TypeAlias = Literal["arrow", "pandas"]


@dataclass(frozen=True)
class ModelFunction:
    """A model as a function of columns.

    Attributes:
        signature: What it takes, in order, and gives.
        udf: The Spark function behind it, as `spark.udf.register` takes it.
        kind: Which protocol Spark speaks with it.
    """

    signature: Signature
    udf: Any
    kind: Kind

    def __call__(self, *columns: str | Column, **named: str | Column) -> Column:
        """Return the prediction of some columns.

        Args:
            columns: One per input, in the signature's documented order; or, for a single vector
                input, its elements as scalar columns.
            named: The same by input name.

        Raises:
            BindingError: When arguments are missing, have no input, or have one already.
        """
        given = self._arguments(columns, named)
        inputs = self.signature.inputs
        if len(given) != len(inputs) and (len(inputs) > 1 or not given):
            raise wrong_count(self.signature, len(given))
        expressions = [sf.col(one) if isinstance(one, str) else one for one in given]
        if self.kind == "pandas":
            from tfspark.spark.pandas_function import with_types

            expressions = with_types(self.signature, expressions)
        result: Column = self.udf(*expressions)
        return result

    def _arguments(
        self, columns: Sequence[str | Column], named: Mapping[str, str | Column]
    ) -> list[str | Column]:
        """Return one argument per input, in order; those by position come first."""
        names = [spec.name for spec in self.signature.inputs]
        rest = names[len(columns) :]
        if named and named.keys() != set(rest):
            raise BindingError(
                explain(
                    f"Signature {self.signature.name!r} takes each of its inputs once.",
                    expected=listing(names),
                    found=f"{len(columns)} by position, by name {listing(named)}",
                )
            )
        return [*columns, *(named[name] for name in rest if named)]


def predict_udf(
    model: Model,
    *,
    kind: Kind = "arrow",
    fetch: Mapping[str, str] | None = None,
    narrow: bool = False,
    strings: Strings = "string",
    spark: SparkSession | None = None,
    **options: Unpack[ScoreOptions],
) -> ModelFunction:
    """Make a column function of a model.

    Args:
        model: A path (export dir or base path), a URI that Spark reads, or a loaded `ModelPackage`.
        kind: `arrow` hands Arrow arrays over as they are (Spark 4.1 and later); `pandas` makes a
            pandas UDF with equal results, which is slower.
        fetch: Output → field name of the result. Left out: all outputs, under their own names.
        narrow: Allow conversions that may lose a value's precision.
        strings: Spark type of string outputs: `string` or `binary`.
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
    check_word("kind", kind, Kind)
    check_columns(fetch=fetch, strings=strings)
    session = active_session(spark)
    package = model_of(session, model, options)
    outputs = bind_outputs(package.signature, fetch=fetch, strings=strings)
    if options.get("engine") == "jvm":
        in_jvm = function_in_jvm(
            session, package, options, fetch=fetch, narrow=narrow, strings=strings
        )
        return ModelFunction(package.signature, in_jvm, "arrow")
    scorer = ArgumentScorer(
        handle_of(session, package, options),
        fetch,
        narrow,
        strings,
        options.get("on_null", "null"),
        options.get("batch_size"),
    )
    make = _arrow_function if kind == "arrow" else _pandas_function
    return ModelFunction(package.signature, make(scorer, udf_type(outputs)), kind)


def active_session(spark: SparkSession | None) -> SparkSession:
    """Return the session given, else the active one.

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


def _arrow_function(scorer: ArgumentScorer, result: Any) -> Callable[..., Column]:
    if not hasattr(sf, "arrow_udf"):
        raise UsageError(
            explain(
                "This Spark has no Arrow UDFs.",
                expected="Spark 4.1 or later",
                hint='use kind="pandas".',
            )
        )

    def predict(arguments: Any) -> Any:
        return scorer(arguments)

    # Spark reads the kind of the function from its hints, which must be types, not strings.
    predict.__annotations__ = {
        "arguments": Iterator[tuple[pa.Array, ...]],  # type: ignore[type-arg]
        "return": Iterator[pa.Array],  # type: ignore[type-arg]
    }
    return sf.arrow_udf(predict, result)  # type: ignore[no-any-return]


def _pandas_function(scorer: ArgumentScorer, result: Any) -> Callable[..., Column]:
    from tfspark.spark.pandas_function import pandas_function

    return pandas_function(scorer, result)
