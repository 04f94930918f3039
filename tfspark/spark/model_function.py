"""Makes a function of columns from a model, and checks it first. Driver.

Outputs are checked here. Only Spark knows the types of the arguments, so the first batch on the
executor binds the inputs, with the same messages.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, UsageError, did_you_mean, explain, listing
from tfspark.fetching import OutputBinding
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.row_warnings import warnings_of
from tfspark.schema import bind_outputs
from tfspark.signature import Signature
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.model_loading import Model, model_of
from tfspark.spark.worker.argument_scorer import wrong_count
from tfspark.terms import SQL

_log = logging.getLogger(__name__)

_LARGEST_BIGINT = 2**63 - 1

Kind: TypeAlias = Literal["arrow", "pandas"]
Argument: TypeAlias = str | Column | bool | int | float | Sequence[Any]


@dataclass(frozen=True)
class FunctionRequest:
    """The request for a function of columns.

    Attributes:
        spark: The session.
        package: The model.
        outputs: The outputs of the function.
        fetch: Output → field name of the result; `None` for all outputs under their own names.
        options: How to score.
    """

    spark: SparkSession
    package: ModelPackage
    outputs: tuple[OutputBinding, ...]
    fetch: Mapping[str, str] | None
    options: ScoreOptions

    @classmethod
    def of(
        cls,
        spark: SparkSession,
        model: Model,
        fetch: Mapping[str, str] | None,
        options: ScoreOptions,
    ) -> FunctionRequest:
        """Check everything that needs no arguments, and log warnings.

        Raises:
            TfsparkError: When the model, an option or an output cannot be used.
        """
        check_columns(fetch=fetch)
        package = model_of(spark, model, options)
        outputs = bind_outputs(package.signature, fetch=fetch, options=options, terms=SQL)
        fetched = [one.spec.name for one in outputs]
        size = options.batch_size
        for warning in warnings_of(package.signature, batch_size=size, outputs=fetched, terms=SQL):
            _log.warning(warning)
        return cls(spark, package, outputs, fetch, options)


@dataclass(frozen=True)
class ModelFunction:
    """A model as a function of columns.

    Attributes:
        signature: The inputs, in the order of the arguments, and the outputs.
        udf: The Spark function, for `spark.udf.register`.
        kind: The type of the Spark function: an Arrow or a pandas UDF, or of the Scala bridge.
    """

    signature: Signature
    udf: Any
    kind: Kind | Literal["jvm"]

    def __call__(self, /, *columns: Argument, **named: Argument) -> Column:
        """Return the prediction of some columns.

        Args:
            columns: One per input, in the signature's documented order; or the elements of a single
                vector input as scalar columns; or one struct with a field for each input.
            named: The arguments by input name (recommended). A number is a constant. For an input
                of Examples, also its features by name.

        Raises:
            BindingError: When arguments are missing, unknown or given twice, or have the names of
                the inputs in another order.
            UsageError: When features are given to a function that builds no Examples.
        """
        given = self._arguments(columns, self._with_examples(columns, named))
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

    def _with_examples(
        self, columns: Sequence[Argument], named: Mapping[str, Argument]
    ) -> Mapping[str, Argument]:
        """Put features that are given by name into one struct, for the input that takes them."""
        inputs = self.signature.inputs
        features = {name for name in named if all(name != spec.name for spec in inputs)}
        taking = [
            spec.name
            for spec in inputs[len(columns) :]
            if spec.features is not None and spec.name not in named
        ]
        if not features or len(taking) != 1:
            return named
        if self.kind != "arrow":
            problem = "A pandas function builds no Examples from columns."
            raise no_examples(problem, 'use kind="arrow" (Spark 4.1 or later), or predict.')
        struct = sf.struct(
            *(to_column(named[name]).alias(name) for name in named if name in features)
        )
        return {**{name: named[name] for name in named if name not in features}, taking[0]: struct}

    def _arguments(
        self, columns: Sequence[Argument], named: Mapping[str, Argument]
    ) -> list[Argument]:
        """Return one argument per input, in order; positional arguments come first."""
        names = [spec.name for spec in self.signature.inputs]
        rest = names[len(columns) :]
        if named and named.keys() != set(rest):
            known = "".join(did_you_mean(name, rest) for name in named if name not in names)
            raise BindingError(
                explain(
                    f"Signature {self.signature.name!r} takes each of its inputs once.",
                    expected=listing(names),
                    found=f"{len(columns)} by position, by name {listing(named)}.{known}",
                    hint="give each input one column: all by position, in this order, or by name.",
                )
            )
        return [*columns, *(named[name] for name in rest if named)]


def no_examples(problem: str, hint: str) -> UsageError:
    """Return the error of a way to score that builds no Examples."""
    expected = "a column of serialized Examples"
    return UsageError(explain(problem, expected=expected, found="columns of features", hint=hint))


def to_column(value: Argument) -> Column:
    """Convert a name, an expression or a constant to a column."""
    if isinstance(value, Column):
        return value
    if isinstance(value, list | tuple):
        return sf.array(*map(to_column, value))
    if isinstance(value, int) and not -_LARGEST_BIGINT - 1 <= value <= _LARGEST_BIGINT:
        return sf.lit(Decimal(value))  # Spark has no other literal for such an integer
    return sf.col(value) if isinstance(value, str) else sf.lit(value)


def _check_order(signature: Signature, columns: Sequence[Column]) -> None:
    """Refuse columns that have the names of the inputs, but in another order."""
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
    """Return the name of a column expression."""
    name = str(column).removeprefix("Column<'").removesuffix("'>")
    return name.rpartition(".")[2].strip("`")  # without the name of the table
