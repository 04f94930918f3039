"""`predict_udf`: a model as a column function, for `select`, `withColumn`, `where` and SQL.

A `ModelFunction` makes column expressions of a model. Outputs are checked at the call; the types of
the arguments are known to Spark alone, so inputs are bound by the first batch on the executor, with
the same messages.

Invariants: rows in, rows out, in order; arguments by name, as fields of one struct, or in the
signature's documented order (inputs sorted by name); one output gives a plain column, several give
a struct.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, UsageError, explain, listing
from tfspark.fetching import Strings
from tfspark.schema import bind_outputs, warnings_of
from tfspark.signature import Signature
from tfspark.spark.cluster.pandas_there import check_pandas
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
from tfspark.spark.worker.argument_scorer import ArgumentScorer, wrong_count

if TYPE_CHECKING:
    from typing_extensions import Unpack

_log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["arrow", "pandas"]
Argument: TypeAlias = str | Column | bool | int | float | Sequence[Any]


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

    def __call__(self, *columns: Argument, **named: Argument) -> Column:
        """Return the prediction of some columns.

        Args:
            columns: One per input, in the signature's documented order; or the elements of a single
                vector input as scalar columns; or one struct with a field for each input.
            named: The same by input name, which is clearer. A number is a constant.

        Raises:
            BindingError: When arguments are missing, have no input, have one already, or are named
                like the inputs but stand in another order.
        """
        given = self._arguments(columns, named)
        inputs = self.signature.inputs
        if not given or (len(given) != len(inputs) and len(inputs) > 1 and len(given) > 1):
            raise wrong_count(self.signature, len(given))
        expressions = [to_column(value) for value in given]
        if not named:
            _check_order(self.signature, expressions)
        if self.kind == "pandas":
            from tfspark.spark.pandas_function import with_types

            if len(given) == 1 and len(inputs) > 1:
                expressions = [expressions[0].getField(spec.name) for spec in inputs]
            expressions = with_types(self.signature, expressions)
        result: Column = self.udf(*expressions)
        return result

    def _arguments(
        self, columns: Sequence[Argument], named: Mapping[str, Argument]
    ) -> list[Argument]:
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


def to_column(value: Argument) -> Column:
    """Return a column, given as its name, an expression or a constant."""
    if isinstance(value, Column):
        return value
    if isinstance(value, list | tuple):
        return sf.array(*map(to_column, value))
    return sf.col(value) if isinstance(value, str) else sf.lit(value)


def _check_order(signature: Signature, columns: Sequence[Column]) -> None:
    """Refuse columns that are named like the inputs, each at the place of another."""
    names = [spec.name for spec in signature.inputs]
    found = [_name_of(column) for column in columns]
    if found != names and sorted(found) == sorted(names):
        by_name = ", ".join(f'{name}="{name}"' for name in names)
        raise BindingError(
            explain(
                f"The columns are those of signature {signature.name!r}, but in another order.",
                expected=", ".join(names),
                found=", ".join(found),
                hint=f"name them: function({by_name}), where every input is a Python name; or "
                f"pass struct({', '.join(names)}).",
            )
        )


def _name_of(column: Column) -> str:
    """Return what a column expression is called, which for a plain column is its name."""
    name = str(column).removeprefix("Column<'").removesuffix("'>")
    return name.rpartition(".")[2].strip("`")  # less the table's name


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
        narrow: Allow to feed numbers that may have fractions to an integer input.
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
    outputs = bind_outputs(
        package.signature, fetch=fetch, strings=strings, batch_size=options.get("batch_size")
    )
    for warning in warnings_of(package.signature):
        _log.warning(warning)
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


def has_arrow_udfs() -> bool:
    """Whether this Spark has column functions of Arrow arrays, as Spark 4.1 and later have."""
    return hasattr(sf, "arrow_udf")


def _arrow_function(scorer: ArgumentScorer, result: Any) -> Callable[..., Column]:
    if not has_arrow_udfs():
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
    return sf.arrow_udf(predict, result)  # type: ignore[no-any-return, attr-defined]


def _pandas_function(scorer: ArgumentScorer, result: Any) -> Callable[..., Column]:
    check_pandas("pandas UDFs")
    from tfspark.spark.pandas_function import pandas_function

    return pandas_function(scorer, result)
