"""Converts a constant to a tensor; repeats it for every row if the input has rows. Executor."""

from __future__ import annotations

from math import prod

import numpy as np
import pyarrow as pa

from tfspark import dtypes
from tfspark.constants import Constant
from tfspark.signature import TensorSpec
from tfspark.tensors.values import Array, ByteStrings, Tensor


def constant_tensor(constant: Constant, spec: TensorSpec, rows: int) -> Tensor:
    """Return the tensor of an input that a constant feeds.

    Args:
        constant: Checked by `tfspark.constants.misfit`.
        spec: The input.
        rows: Rows of the batch; ignored for a scalar input.
    """
    dtype = dtypes.by_name(spec.dtype)
    value = constant.array(dtype)
    value = value.reshape(()) if spec.shape == () else _repeated(value, spec, rows)
    if not dtype.is_string:
        return np.array(value, order="C")
    elements = pa.array(value.ravel().tolist(), pa.binary())
    return ByteStrings(elements, value.shape)


def _repeated(value: Array, spec: TensorSpec, rows: int) -> Array:
    row = spec.row_shape
    if row is None or (value.shape != () and None in row):
        row = value.shape
    shape = tuple(1 if size is None else size for size in row)
    if value.ndim and value.size == prod(shape):
        value = value.reshape(shape)
    return np.broadcast_to(value, (rows, *shape))
