"""The struct types of Spark ML vectors, matrices and images. Driver and executor.

A column is recognised by its Arrow struct type. It is fed as an array, and `tensors.structs`
converts it.

Source: `VectorUDT`, `MatrixUDT` and `ImageSchema` of Spark.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tfspark.dtypes import is_list, nested

VECTOR = pa.struct(
    [
        ("type", pa.int8()),  # 0 sparse, 1 dense
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)
MATRIX = pa.struct(
    [
        ("type", pa.int8()),
        ("numRows", pa.int32()),
        ("numCols", pa.int32()),
        ("colPtrs", pa.list_(pa.int32())),
        ("rowIndices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
        ("isTransposed", pa.bool_()),
    ]
)
IMAGE = pa.struct(
    [
        ("origin", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("nChannels", pa.int32()),
        ("mode", pa.int32()),  # OpenCV's number of the type
        ("data", pa.binary()),  # row by row, the channels in the order B, G, R, A
    ]
)

_STRUCT = VECTOR.id

# Struct type → the array that it is fed as: pixels are (height, width, channels).
FED_AS: dict[pa.DataType, pa.DataType] = {
    VECTOR: nested(pa.float64(), 1),
    MATRIX: nested(pa.float64(), 2),
    IMAGE: nested(pa.uint8(), 3),
}
LABELS: dict[pa.DataType, str] = {VECTOR: "vector", MATRIX: "matrix", IMAGE: "image"}


def recognised(arrow: pa.DataType) -> pa.DataType | None:
    """Return which of the three struct types a type is; `None` for any other type.

    Names and nullability of list elements are ignored, because files and Spark differ in them.
    """
    if arrow.id != _STRUCT:
        return None
    return next((known for known in FED_AS if _is_like(arrow, known)), None)


def sparse_size(array: Any) -> int:
    """Return the number of elements, with zeros, of all sparse vectors or matrices of a column."""
    known = recognised(array.type)
    if known not in (VECTOR, MATRIX):
        return 0
    names = ("size",) if known == VECTOR else ("numRows", "numCols")
    fields = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
    kinds, *sizes = (
        fields[name].fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in ("type", *names)
    )
    return int(np.prod(sizes, axis=0)[kinds == 0].sum())


def is_variant(arrow: Any) -> bool:
    """Whether a type is Spark's VARIANT, which Spark marks in the metadata of a field."""
    if arrow.id != _STRUCT or [field.name for field in arrow] != ["value", "metadata"]:
        return False
    return (arrow.field("metadata").metadata or {}).get(b"variant") == b"true"


def _is_like(arrow: Any, known: Any) -> bool:
    if is_list(known):
        return is_list(arrow) and _is_like(arrow.value_type, known.value_type)
    if not pa.types.is_struct(known):
        return bool(arrow == known) or (
            pa.types.is_binary(known) and pa.types.is_large_binary(arrow)
        )
    return (
        pa.types.is_struct(arrow)
        and [field.name for field in arrow] == [field.name for field in known]
        and all(_is_like(mine.type, other.type) for mine, other in zip(arrow, known, strict=True))
    )
