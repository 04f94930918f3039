"""A DataFrame in which everything that `feed` names is a column. Driver.

`feed` may name columns, fields of structs, expressions and constants. Expressions and fields become
more columns at the end of the frame, so that the binding speaks of columns alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StructType

from tfspark.columns import resolve
from tfspark.constants import Constant
from tfspark.signature import Signature
from tfspark.spark.cluster.names import quoted
from tfspark.spark.options import is_constant
from tfspark.spark.types import column_of

FeedValue: TypeAlias = "str | Column | Sequence[str | Column] | object"


@dataclass(frozen=True)
class FedFrame:
    """A DataFrame and the names of its columns that feed inputs.

    Attributes:
        frame: The columns of the user's frame, then those that `feed` made.
        feed: Input → column, columns or constant.
        case_sensitive: Whether this session tells names apart by case.
    """

    frame: DataFrame
    feed: dict[str, str | Sequence[str] | Constant]
    case_sensitive: bool

    @classmethod
    def of(
        cls, df: DataFrame, feed: Mapping[str, FeedValue] | None, signature: Signature
    ) -> FedFrame:
        """Add the columns that feed a signature."""
        case_sensitive = df.sparkSession.conf.get("spark.sql.caseSensitive") == "true"
        given = {**_fields_of_struct(df, feed or {}, signature, case_sensitive), **(feed or {})}
        return cls(df, {}, case_sensitive).with_columns(given)

    def with_columns(self, feed: Mapping[str, FeedValue]) -> FedFrame:
        """Return the frame with one more column for each expression and each field of a struct."""
        added: list[Column] = []
        taken = self.frame.columns

        def name_of(value: str | Column) -> str:
            expression = self._field(value) if isinstance(value, str) else value
            if expression is None:
                return str(value)
            name = f"expression {len(added) + 1}" if value is expression else str(value)
            while name in taken:
                name += " of feed"
            added.append(expression.alias(name))
            return name

        named: dict[str, str | Sequence[str] | Constant] = {}
        for key, value in feed.items():
            if is_constant(value):
                named[key] = value if isinstance(value, Constant) else Constant(value)
            elif isinstance(value, str | Column):
                named[key] = name_of(value)
            elif isinstance(value, Sequence):
                named[key] = [name_of(part) for part in value]
        frame = self.frame.select("*", *added) if added else self.frame
        return FedFrame(frame, {**self.feed, **named}, self.case_sensitive)

    def _field(self, name: str) -> Column | None:
        """Return the field of a struct that a name such as `s.field` means, if it means one."""
        if "." not in name or resolve(name, self.frame.columns, case_sensitive=self.case_sensitive):
            return None
        field = sf.col(name)
        try:
            _ = self.frame.select(field).schema
        except AnalysisException:
            return None
        return field


def _fields_of_struct(
    df: DataFrame, feed: Mapping[str, FeedValue], signature: Signature, case_sensitive: bool
) -> dict[str, Column]:
    """Return the fields that feed the inputs left over, of the one struct column that has all."""
    open_inputs = [
        spec.name
        for spec in signature.inputs
        if spec.name not in feed
        and resolve(spec.name, df.columns, case_sensitive=case_sensitive) is None
    ]
    found = []
    for field in df.schema if open_inputs else ():
        if not isinstance(field.dataType, StructType) or column_of(field.dataType).arrow:
            continue
        names = field.dataType.names
        fields = {name: resolve(name, names, case_sensitive=case_sensitive) for name in open_inputs}
        if None not in fields.values() and df.columns.count(field.name) == 1:
            struct = sf.col(quoted(field.name))
            found.append({name: struct.getField(str(path)) for name, path in fields.items()})
    return found[0] if len(found) == 1 else {}
