"""Takes the values of a column out of Arrow: elements of arrays, numbers and texts. Executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tfspark.sketches.quantiles import Numbers
from tfspark.tensors.values import to_numpy

# The most characters of a text that are kept.
LONGEST = 120


def kind_of(arrow: pa.DataType) -> str:
    """Return the kind of statistics for a type: `number`, `text`, `flag` or `other`."""
    if pa.types.is_boolean(arrow):
        return "flag"
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return "number"
    return "text" if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) else "other"


def elements_of(lists: Any) -> Any:
    """Return the elements of arrays like `flatten`, which always reads all offsets."""
    offset = {pa.ListArray: np.int32, pa.LargeListArray: np.int64}.get(type(lists))
    if offset is None or lists.null_count or not len(lists):
        return lists.flatten()
    size = np.dtype(offset).itemsize
    offsets = np.frombuffer(lists.buffers()[1], offset, len(lists) + 1, lists.offset * size)
    first, last = offsets[0].item(), offsets[-1].item()
    return lists.values.slice(first, last - first)


def numbers_of(values: Any) -> Numbers:
    """Return numbers for NumPy; decimals become float64, and float16 becomes float32."""
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    numbers = to_numpy(values)
    return numbers.astype(np.float32) if numbers.dtype == np.float16 else numbers


def as_bytes(texts: Any) -> Any:
    """Return texts as bytes, because a text of Spark may be no UTF-8."""
    if pa.types.is_boolean(texts.type):
        return texts
    return texts.cast(pa.large_binary() if pa.types.is_large_string(texts.type) else pa.binary())


def text_of(value: bool | bytes) -> str:
    """Return a value as text of at most `LONGEST` characters."""
    text = str(value).lower() if isinstance(value, bool) else value.decode("utf-8", "replace")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
