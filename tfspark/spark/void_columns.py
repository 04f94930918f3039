"""Gives columns of nulls without a type (`void`) the type of the input that they feed. Driver.

SQL's NULL has the type void. A column function takes it, so `predict` takes a column of this type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import NullType

from tfspark import dtypes
from tfspark.columns import resolve
from tfspark.signature import Signature, TensorSpec


def typed_nulls(
    df: DataFrame, feed: Mapping[str, Any], signature: Signature, case_sensitive: bool
) -> dict[str, Column | list[Any]]:
    """Return input → typed nulls, for the inputs that a void column feeds.

    Args:
        df: The frame.
        feed: Input → column, expression or constant. An input that is not in `feed` takes the
            column with its name.
        signature: The signature of the model.
        case_sensitive: Whether names must match the case of columns exactly.
    """
    void = [field.name for field in df.schema if isinstance(field.dataType, NullType)]

    def is_void(value: object) -> bool:
        if not isinstance(value, str):
            return False
        name = resolve(value, df.columns, case_sensitive=case_sensitive)
        return name in void and df.columns.count(str(name)) == 1

    found: dict[str, Column | list[Any]] = {}
    for spec in signature.inputs if void else ():
        value = feed.get(spec.name, spec.name)
        if dtypes.reason_unsupported(spec.dtype):
            continue
        if is_void(value):
            found[spec.name] = _null(spec, _depth(spec))
        elif isinstance(value, list | tuple) and any(map(is_void, value)):
            found[spec.name] = [_null(spec, 0) if is_void(part) else part for part in value]
    return found


def _depth(spec: TensorSpec) -> int:
    row = spec.row_shape or ()
    return 0 if row == (1,) else len(row)


def _null(spec: TensorSpec, depth: int) -> Column:
    return sf.lit(None).cast(dtypes.arrays_of(dtypes.by_name(spec.dtype).sql, depth))
