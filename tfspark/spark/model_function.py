"""A model as a function of columns, and what is checked before one is made. Driver.

Outputs are checked here. The types of the arguments are known to Spark alone, so inputs are bound
by the first batch on the executor, with the same messages.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from tfspark.errors import BindingError, explain, listing
from tfspark.fetching import OutputBinding
from tfspark.options import ScoreOptions
from tfspark.package import ModelPackage
from tfspark.schema import bind_outputs, warnings_of
from tfspark.signature import Signature
from tfspark.spark.column_arguments import check_columns
from tfspark.spark.model import Model, model_of
from tfspark.spark.worker.argument_scorer import wrong_count

_log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["arrow", "pandas"]
Argument: TypeAlias = str | Column | bool | int | float | Sequence[Any]


@dataclass(frozen=True)
class FunctionRequest:
    """A function of columns that a user asks for.

    Attributes:
        spark: The session.
        package: The model.
        outputs: What the function gives.
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
        """Check all that can be checked without arguments, and log what the user should know.

        Raises:
            TfsparkError: When the model, an option or an output cannot be used.
        """
        check_columns(fetch=fetch)
        package = model_of(spark, model, options)
        outputs = bind_outputs(package.signature, fetch=fetch, options=options)
        for warning in warnings_of(package.signature):
            _log.warning(warning)
        return cls(spark, package, outputs, fetch, options)


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
