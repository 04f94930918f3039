"""Gives columns without a type (`void`, `array<void>`) the type of their input. Driver.

SQL's NULL has the type void, and its array() the type array<void>. A column function takes both, so
`predict` takes columns of these types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import Column
from pyspark.sql import functions as sf
from pyspark.sql.types import ArrayType, DataType, NullType

from tfspark import dtypes
from tfspark.columns import resolve
from tfspark.signature import Signature, TensorSpec
from tfspark.spark.cluster.names import quoted

if TYPE_CHECKING:
    from tfspark.spark.fed_frame import FedFrame


def typed_nulls(fed: FedFrame, signature: Signature) -> dict[str, Column | list[Any]]:
    """Return input → typed column, for the inputs that a void column or array feeds.

    Args:
        fed: The frame with its feed. An input that is not in the feed takes the column with its
            name.
        signature: The signature of the model.
    """
    names = fed.frame.columns
    depths = {field.name: _void_depth(field.dataType) for field in fed.frame.schema}

    def name_of(value: object) -> str | None:
        if not isinstance(value, str):
            return None
        return resolve(value, names, case_sensitive=fed.case_sensitive)

    def depth_of(value: object) -> int | None:
        name = name_of(value)
        return None if name is None or names.count(name) > 1 else depths[name]

    found: dict[str, Column | list[Any]] = {}
    for spec in signature.inputs if any(depth is not None for depth in depths.values()) else ():
        value = fed.feed.get(spec.name, spec.name)
        if dtypes.reason_unsupported(spec.dtype):
            continue
        depth = depth_of(value)
        if depth:
            name = str(name_of(value))
            column = fed.added[name] if name in fed.added else sf.col(quoted(name))
            found[spec.name] = _typed(column, spec, depth)
        elif depth == 0:
            found[spec.name] = _typed(sf.lit(None), spec, _depth(spec))
        elif isinstance(value, list | tuple) and 0 in map(depth_of, value):
            parts = ((part, depth_of(part)) for part in value)
            found[spec.name] = [
                _typed(sf.lit(None), spec, 0) if depth == 0 else part for part, depth in parts
            ]
    return found


def _void_depth(kind: DataType) -> int | None:
    """Return the number of arrays around void; `None` for any other type."""
    depth = 0
    while isinstance(kind, ArrayType):
        kind, depth = kind.elementType, depth + 1
    return depth if isinstance(kind, NullType) else None


def _depth(spec: TensorSpec) -> int:
    row = spec.row_shape or ()
    return 0 if row == (1,) else len(row)


def _typed(column: Column, spec: TensorSpec, depth: int) -> Column:
    return column.cast(dtypes.arrays_of(dtypes.by_name(spec.dtype).sql, depth))
