"""Tracks the columns of a scored DataFrame: fed, kept and renamed ones. Driver.

`feed` may name columns, fields of structs, expressions and constants. The driver processes it in
these steps:

1. `FedFrame.of`: expressions and fields become new columns at the end of the frame, so that only
   columns and constants feed the model.
2. `tfspark.bound_models.bind_each`: a `Binding` says which columns feed which input of a model.
   `FedFrame.joined` makes one frame for several models.
3. `FedFrame.stacked`, for Python workers: many scalar columns of one input become one array.
4. `FedFrame.passed` and `numbered`: the columns that a task needs, with numbers in place of names.

In the task, a `PartitionScorer` restores the names of the columns, and the runner makes a tensor
for each input of the binding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from tfspark.columns import resolve
from tfspark.constants import Constant, is_constant
from tfspark.dtypes import by_name, conversion
from tfspark.errors import BindingError, explain_all
from tfspark.feeding import InputBinding
from tfspark.schema import Binding, kept_columns
from tfspark.signature import Signature
from tfspark.spark.cluster.names import numbered, quoted
from tfspark.spark.feed_expressions import one_value, with_expressions
from tfspark.spark.struct_features import features_of_structs, fields_of_struct
from tfspark.spark.types import passes
from tfspark.spark.void_columns import typed_nulls
from tfspark.terms import Terms

# A column, an expression, a list of them, or a constant: a number, a bool, bytes, an array of them.
FeedValue: TypeAlias = object

# Spark writes a batch column by column; so many scalars of one input cost more than one array.
MANY = 16
# The name of the column of an expression begins with this.
_EXPRESSION = "expression "


@dataclass(frozen=True)
class FedFrame:
    """A DataFrame, the columns that feed a model, and the columns that are kept.

    Attributes:
        frame: The columns of the user's frame, then the new columns for `feed`.
        feed: Input → column, columns or constant.
        kept: Positions of the kept columns.
        case_sensitive: Whether names in this session are case-sensitive.
        added: The new columns: name → expression.
        given: The new columns that the caller gave as expressions: name → the caller's object.
    """

    frame: DataFrame
    feed: dict[str, str | Sequence[str] | Constant]
    kept: tuple[int, ...]
    case_sensitive: bool
    added: Mapping[str, Column]
    given: Mapping[str, Column] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        df: DataFrame,
        signature: Signature,
        feed: Mapping[str, FeedValue] | None,
        keep: Sequence[str] | None,
    ) -> FedFrame:
        """Add the columns that feed a signature; find the columns to keep, by default all.

        Raises:
            BindingError: When a column to keep does not exist, or an expression of `feed` cannot be
                computed for each row.
        """
        setting = df.sparkSession.conf.get("spark.sql.caseSensitive", "false")
        case_sensitive = str(setting).lower() == "true"
        feed = features_of_structs(df, feed or {}, signature, case_sensitive)
        given = {**fields_of_struct(df, feed, signature, case_sensitive), **feed}
        fed = cls(df, {}, (), case_sensitive, {}).with_columns(given)
        fed = fed.with_columns(typed_nulls(fed, signature))
        if keep is None:
            return replace(fed, kept=tuple(range(len(df.columns))))
        names = [resolve(name, df.columns, case_sensitive=case_sensitive) or name for name in keep]
        kept = kept_columns(df.columns, names)
        return replace(fed, kept=tuple(df.columns.index(name) for name in kept))

    @property
    def kept_schema(self) -> StructType:
        """The fields of the kept columns."""
        schema = self.frame.schema
        return StructType([schema[position] for position in self.kept])

    def with_columns(self, feed: Mapping[str, FeedValue]) -> FedFrame:
        """Return the frame with one more column for each expression and each field of a struct.

        Raises:
            BindingError: When Spark cannot compute an expression for each row.
        """
        added: dict[str, Column] = {}
        given: dict[str, Column] = {}
        taken = self.frame.columns

        def name_of(value: str | Column) -> str:
            if (known := _known_name(value, given)) is not None:
                return known
            expression = self._field(value) if isinstance(value, str) else value
            if expression is None:
                return str(value)
            name = f"{_EXPRESSION}{len(added) + 1}" if value is expression else str(value)
            name = _free(name, taken)
            if not isinstance(value, str):
                given[name] = value
            column = one_value(expression) if value is expression else expression
            added[name] = column.alias(name)  # a field that feeds two inputs is one column
            return name

        named: dict[str, str | Sequence[str] | Constant] = {}
        for key, value in feed.items():
            if is_constant(value):
                named[key] = value if isinstance(value, Constant) else Constant(value)
            elif isinstance(value, str | Column):
                named[key] = name_of(value)
            elif isinstance(value, Sequence):
                named[key] = [name_of(part) for part in value]
        frame = with_expressions(self.frame, list(added.values()))
        return replace(
            self,
            frame=frame,
            feed={**self.feed, **named},
            added={**self.added, **added},
            given={**self.given, **given},
        )

    def joined(
        self, df: DataFrame, others: Sequence[FedFrame]
    ) -> tuple[FedFrame, list[dict[str, str]]]:
        """Return one frame with the new columns of several, and their names: old → new, for each.

        An expression that feeds several models is one column: Spark computes it once for each row,
        so that a random value is the same for all models.

        Args:
            df: The user's frame.
            others: Frames of `df` with the same kept columns, and new columns for other models.
        """
        added, given = dict(self.added), dict(self.given)
        names = [{name: name for name in self.added}]
        for fed in others:
            own: dict[str, str] = {}
            for name, column in fed.added.items():
                known = _known_name(fed.given.get(name, ""), given)
                if known is None and "." in name and name in self.added:  # a field of a struct
                    known = name
                own[name] = known or _free(name, [*df.columns, *added])
                added.setdefault(own[name], column.alias(own[name]))
                if name in fed.given:
                    given[own[name]] = fed.given[name]
            names.append(own)
        frame = df.select("*", *added.values()) if added else df
        return replace(self, frame=frame, added=added, given=given), names

    def is_expression(self, name: str) -> bool:
        """Whether a column was made from an expression or stacked; users do not know its name."""
        return name in self.added and name.startswith(_EXPRESSION)

    def check_kept(self, terms: Terms, *, in_jvm: bool = False) -> None:
        """Refuse kept columns with an ambiguous name, or that cannot pass through Python.

        Args:
            terms: How the caller spells options.
            in_jvm: Whether the rows stay in the JVM, which keeps every type.

        Raises:
            BindingError: With all of them.
        """
        names, kept = self.frame.columns, self.kept_schema
        problems = [
            f"there are {names.count(name)} columns {name!r}"
            for name in kept.names
            if names.count(name) > kept.names.count(name)
        ]
        problems += [
            f"column {field.name!r} is {field.dataType.simpleString()}, which Spark cannot pass to "
            "Python"
            for field in kept
            if not (in_jvm or passes(field.dataType))
        ]
        if problems:
            raise BindingError(
                explain_all(
                    "Columns cannot be kept beside the predictions",
                    problems,
                    hint=f"leave them out with {terms.keep}, cast or rename them; or score with "
                    "predict_udf, which does not pass other columns to Python.",
                )
            )

    def stacked(self, binding: Binding) -> tuple[FedFrame, Binding]:
        """Combine the many scalar columns of one input into one array, in Spark."""
        stacks = {
            bound.spec.name: sf.array(*(sf.col(quoted(name)) for name in bound.columns))
            for bound in binding.inputs
            if self._is_better_stacked(bound)
        }
        if not stacks:
            return self, binding
        fed = self.with_columns(stacks)
        inputs = tuple(
            replace(bound, columns=(str(fed.feed[bound.spec.name]),))
            if bound.spec.name in stacks
            else bound
            for bound in binding.inputs
        )
        return fed, replace(binding, inputs=inputs)

    def passed(self, bindings: Sequence[Binding]) -> list[int]:
        """Return the positions of the columns that a task needs: the kept ones come first."""
        names = self.frame.columns
        fed = [names.index(name) for binding in bindings for name in binding.columns]
        return list(dict.fromkeys([*self.kept, *fed]))

    def names_in_task(self, positions: Sequence[int]) -> list[str]:
        """Return the names of these columns in a task; equal names become numbers."""
        names = self.frame.columns
        times = Counter(names)
        return [
            names[position]
            if times[names[position]] == 1
            else _free(f"column {position}", names, " of the frame")
            for position in positions
        ]

    def numbered(self, positions: Sequence[int] | None = None) -> DataFrame:
        """Return the frame with columns named by their positions: `c0`, `c1`, ….

        Spark 4.3 looks up the columns of `mapInArrow` by name, and misreads dots, backticks, stars
        and equal names.

        Args:
            positions: The columns to return; by default all.
        """
        names = numbered(len(self.frame.columns))
        frame = self.frame.toDF(*names)
        return frame if positions is None else frame.select([names[at] for at in positions])

    def _is_better_stacked(self, bound: InputBinding) -> bool:
        """Whether many scalar columns feed an input, none of them kept or cast."""
        schema = self.frame.schema
        if (
            bound.features
            or len(bound.columns) < MANY
            or set(bound.columns) & set(self.kept_schema.names)
        ):
            return False
        if len({name.lower() for name in schema.names}) < len(schema.names):
            return False  # Spark cannot resolve such columns by name
        types = {schema[name].dataType.simpleString() for name in bound.columns}
        dtype = by_name(bound.spec.dtype)
        # Other numbers may not fit; the error then names their column.
        return types == {dtype.sql} and conversion(dtype.arrow, dtype) == "exact"

    def _field(self, name: str) -> Column | None:
        """Return the field of a struct for a name such as `s.field`, if there is one."""
        if "." not in name or resolve(name, self.frame.columns, case_sensitive=self.case_sensitive):
            return None
        field = sf.col(name)
        try:
            _ = self.frame.select(field).schema
        except AnalysisException:
            return None
        return field


def _known_name(value: str | Column, given: Mapping[str, Column]) -> str | None:
    """Return the name of an expression that was given before; columns cannot be compared."""
    return next((name for name, one in given.items() if one is value), None)


def _free(name: str, taken: Sequence[str], ending: str = " of feed") -> str:
    """Return a name that no column has."""
    while name in taken:
        name += ending
    return name
