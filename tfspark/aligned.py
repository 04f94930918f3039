"""Arrays at addresses from which TensorFlow reads without a copy. Driver and executor.

NumPy aligns new arrays to 16 bytes. TensorFlow's kernels need more, so it would copy such arrays.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

# EIGEN_MAX_ALIGN_BYTES with AVX-512, the largest value in any build of TensorFlow.
ALIGNMENT = 64


def copy(values: Array, dtype: npt.DTypeLike | None = None, alignment: int = ALIGNMENT) -> Array:
    """Return an aligned copy, in C order; another type is converted as by `ndarray.astype`."""
    kind = values.dtype if dtype is None else np.dtype(dtype)
    size = values.size * kind.itemsize
    block = np.empty(size + alignment, np.uint8)
    start = -block.__array_interface__["data"][0] % alignment
    found = block[start : start + size].view(kind).reshape(values.shape)
    np.copyto(found, values, casting="unsafe")
    return found
